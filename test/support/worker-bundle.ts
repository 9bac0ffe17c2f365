/** Workers as one script each, as `wrangler` bundles them: for tests that run them in the simulator. */
import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '../..')

/** As `wrangler-s3.toml` has it. */
const alias = { '@aws-sdk/xml-builder': path.join(root, 'node_modules/@aws-sdk/xml-builder/dist-cjs/index.js') }

export async function bundleWorker(entry: 'edge/worker.ts' | 'edge/worker-s3.ts'): Promise<string> {
  const entryPoints = [path.join(root, entry)]
  const bundle = await build({ entryPoints, bundle: true, write: false, format: 'esm', platform: 'browser', conditions: ['worker', 'browser'], target: 'es2024', alias })
  return bundle.outputFiles[0]!.text
}

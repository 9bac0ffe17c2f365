import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { bundleCommand } from './test/support/bundled-command.ts'

/** Folders of `test/` whose files a worker runs one after another, as they change nothing of the process: a process for each, which loads all sources anew, would take a minute more. */
const parts = 'edge|model|shared|shim'

/** They measure the process that they are in. */
const measuring = ['test/edge/large-upload.test.ts']

/** What takes long begins first, so that nothing long is left for the end; what is not here follows as Vitest has it. */
const longest = [
  'tree', 'programs', 'mount-write', 'command', 'console-views', 'service-worker-readers', 'service-worker', 'crash', 'command-write', 'clients', 'posix/mount', 'e2e/mount',
  'fuzz', 'edge/upload', 'tus-client', 'store-requests', 'edge/events', 'leases', 'matrix', 'edge/http', 's3-ceph', 'edge/publish', 's3-miniflare', 'directory-search', 'faults', 'model/changes', 'cost', 'publisher', 'r2', 'events-filtered',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId, project }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      // Small files are best at the end, and a worker goes on only with what is like what it has done.
      return (project.config.isolate ? 0 : 1000) + (at < 0 ? longest.length : at)
    }
    // oxlint-disable-next-line no-array-sort -- it is the one of Vitest
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  test: {
    provide: { commandFile: await bundleCommand(import.meta.dirname) },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One more than a small machine has processors: what is tested runs in processes of its own, and its files wait for those a third of the time.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Hundreds of processes are started, which would all compile the same files.
    env: { NODE_COMPILE_CACHE: resolve(import.meta.dirname, 'node_modules/.cache/compiled') },
    projects: [
      { extends: true, test: { name: 'whole', include: ['test/*.test.ts', `test/!(${parts}|soak)/**/*.test.ts`, ...measuring] } },
      { extends: true, test: { name: 'parts', include: [`test/@(${parts})/**/*.test.ts`], exclude: measuring, isolate: false } },
    ],
  },
})

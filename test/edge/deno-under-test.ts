/**
 * A whole edge on Deno for a test: a process of its own over a directory, with one volume that the test opens there, too.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { nodeHash } from '../../edge/node.ts'
import { DirectoryStore } from '../../edge/store/directory.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EdgeUnderTest, edgeAt, volumeName } from './edge-under-test.ts'

const root = path.resolve(import.meta.dirname, '../..')
const startMs = 45_000

/** `environment` is added to this process's, for example secrets. */
export async function startDenoEdge(environment: Readonly<Record<string, string>> = {}): Promise<EdgeUnderTest> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-deno-'))
  const store = new DirectoryStore(directory, { clock: systemClock, random: new SeededRandom(3) })
  await store.start()
  const engine = { store: new ScopedStore(store, volumeName), clock: systemClock, random: new SeededRandom(1), hash: nodeHash, author: 'test' }
  const volume = await Volume.create(engine, { name: volumeName })
  const { port, end } = await startDeno(directory, environment)
  return edgeAt({ port, store, volume }, async () => {
    await end()
    await volume.close()
    await store.dispose()
    await rm(directory, { recursive: true, force: true })
  })
}

/** The port that it serves on, and how to end it. */
async function startDeno(directory: string, environment: Readonly<Record<string, string>>): Promise<{ port: number; end: () => Promise<void> }> {
  const args = ['run', '-A', 'edge/deno.ts', `dir:${directory}`, '--port', '0']
  const deno = spawn(path.join(root, 'node_modules/.bin/deno'), args, { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => deno.once('exit', () => resolve()))
  const end = async (): Promise<void> => {
    deno.kill('SIGKILL')
    await ended
  }
  let output = ''
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (): void => reject(new Error(`Deno does not serve: ${output}`))
    const limit = setTimeout(fail, startMs)
    deno.once('exit', fail)
    const read = (bytes: Buffer): void => {
      output += bytes.toString()
      const match = /serving dir:\S+ at http:\/\/127\.0\.0\.1:(\d+)(, for who has a token)?\n/.exec(output)
      if (match === null) return
      if ((match[2] !== undefined) !== (environment['EDGEMOUNT_SECRETS'] !== undefined)) fail()
      clearTimeout(limit)
      resolve(Number(match[1]))
    }
    deno.stdout.on('data', read)
    deno.stderr.on('data', read)
  }).catch(async (error: unknown) => {
    await end()
    throw error
  })
  return { port, end }
}

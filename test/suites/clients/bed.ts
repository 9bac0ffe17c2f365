/** What a suite of clients works with: an edge on some runtime that serves a folder of real files, behind a proxy that records what is asked. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Operation } from '../../../shared/volume/operation.ts'
import { type EdgeUnderTest, fileOperation, volumeName } from '../../edge/edge-under-test.ts'
import { type RecordedRequest, startRecordingProxy } from '../../support/recording-proxy.ts'

export interface ClientBed {
  /** Address of the folder, without a slash at its end, through the proxy. */
  readonly base: string
  /** Where the same files lie on this machine. */
  readonly files: string
  /** What was asked since the last call. */
  taken(): RecordedRequest[]
  close(): Promise<void>
}

/** More names than one page of a listing holds, all of empty files; they are in the edge alone. */
export const manyFiles = Array.from({ length: 1200 }, (_, index) => `many/file ${String(index).padStart(4, '0')}`)

/** When every file and folder was changed, whole seconds as HTTP says them. */
export const changedAt = Date.UTC(2024, 4, 6, 7, 8, 9) / 1000

export interface ClientBedSettings {
  /** The folder whose files the edge serves. */
  readonly files: string
  /** Only what lies in these folders of it. */
  readonly folders?: readonly string[]
  /** Stands before the path of every address. */
  readonly token?: string
}

export async function startClientBed(start: () => Promise<EdgeUnderTest>, { files, folders = [''], token }: ClientBedSettings): Promise<ClientBed> {
  const edge = await start()
  const proxy = await startRecordingProxy(edge.url)
  const time = { seconds: changedAt, nanoseconds: 0 }
  const found = await Promise.all(folders.map((folder) => readdir(path.join(files, folder), { recursive: true, withFileTypes: true })))
  const names = found.flat().filter((entry) => entry.isFile())
  const operations: Operation[] = []
  for (const { parentPath, name } of names) {
    const file = path.join(parentPath, name)
    operations.push(await fileOperation(edge.volume, `/${path.relative(files, file)}`, await readFile(file), { mtime: time, ctime: time }))
  }
  for (const path of manyFiles) operations.push({ op: 'create', path: `/${path}`, mtime: time, ctime: time, parents: true })
  await edge.commit(...operations)
  return {
    base: `${proxy.url}${token === undefined ? '' : `/t/${token}`}/v1/${volumeName}/files`,
    files,
    taken: () => proxy.taken(),
    close: async () => {
      await proxy.stop()
      await edge.close()
    },
  }
}

export const bytesOf = (requests: readonly RecordedRequest[]): number => requests.reduce((sum, { bytes }) => sum + bytes, 0)

export interface Finished {
  readonly code: number
  readonly out: Buffer
  readonly complaint: string
}

const programMs = 30_000

/** Runs a program of the system to its end; the proxy answers it meanwhile. */
export function runClient(program: string, ...parameters: string[]): Promise<Finished> {
  // A proxy of the machine's own would stand between; rclone warns of a certificate bundle that it does not need.
  const { http_proxy: _, HTTP_PROXY: __, AWS_CA_BUNDLE: ___, ...environment } = process.env
  const options = { encoding: 'buffer', timeout: programMs, maxBuffer: 1 << 27, env: { ...environment, LC_ALL: 'C.UTF-8' } } as const
  return new Promise((resolve) => {
    execFile(program, parameters, options, (error, out, complaint) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, complaint: complaint.toString() })
    })
  })
}

/** The same, but its end must be a good one. */
export async function clientOutput(program: string, ...parameters: string[]): Promise<Buffer> {
  const { code, out, complaint } = await runClient(program, ...parameters)
  if (code !== 0) throw new Error(`${program} ${parameters.join(' ')} ended with ${code}: ${out.toString().slice(-2000)} ${complaint.slice(-2000)}`)
  return out
}

/**
 * `edgemount status` where a mount is in trouble: which mount it is must be told, and a script must notice.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { socketDirectory, socketPath } from '../../shim/control/socket-directory.ts'
import { edgemount } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-status-'))
const folder = join(directory, 'mnt')
const env = { XDG_RUNTIME_DIR: directory }
let server: Server

beforeAll(async () => {
  const sockets = socketDirectory(env, 0)
  mkdirSync(sockets, { mode: 0o700 })
  mkdirSync(folder)
  server = createServer((socket) => socket.end('?\n'))
  await new Promise<void>((resolve) => server.listen(socketPath(sockets, folder), resolve))
})

afterAll(() => {
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a mount that does not answer as it should is named, and the exit code says so', async () => {
  const { code, stdout, stderr } = await edgemount(['status', folder], { env })
  expect(stderr).toMatch(new RegExp(`^Cannot ask the mount "${folder}": .*\n$`))
  expect([code, stdout]).toEqual([7, ''])
})

test('among all mounts too, and in JSON', async () => {
  const one = await edgemount(['status', '--json', folder], { env })
  expect(JSON.parse(one.stdout)).toMatchObject({ mounts: [{ directory: folder, error: { message: expect.stringContaining('Cannot ask the mount') as string } }] })
  const all = await edgemount(['status', '--json'], { env })
  expect(JSON.parse(all.stdout)).toMatchObject({ mounts: [{ directory: null, error: { message: expect.stringContaining('Cannot ask the mount behind "') as string } }] })
  expect([one.code, all.code]).toEqual([7, 7])
})

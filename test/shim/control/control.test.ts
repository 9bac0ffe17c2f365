import { existsSync, writeFileSync } from 'node:fs'
import { chmod, rename, stat } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { askControl, listSockets } from '../../../shim/control/control-client.ts'
import { ControlServer } from '../../../shim/control/control-server.ts'
import type { ControlRequest } from '../../../shim/control/messages.ts'
import { prepareSocketDirectory, socketDirectory, socketPath } from '../../../shim/control/socket-directory.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

async function startServer(answer: (request: ControlRequest) => Promise<unknown>): Promise<{ socket: string; server: ControlServer }> {
  const socket = path.join(await tempDirectory(), 'x.sock')
  const server = await ControlServer.start(socket, answer)
  onTestFinished(() => server.close())
  return { socket, server }
}

test('a request gets its answer, an error comes back as the error it was', async () => {
  const { socket } = await startServer((request) =>
    request.command === 'umount' ? Promise.reject(new EdgemountError('conflict', `Cannot unmount: busy, forced ${request.isForced}`)) : Promise.resolve({ seq: 7 }),
  )
  expect(await askControl(systemClock, socket, { command: 'status' }, 1000)).toEqual({ answer: { seq: 7 } })
  await expect(askControl(systemClock, socket, { command: 'umount', isForced: true }, 1000)).rejects.toMatchObject({ code: 'conflict', message: 'Cannot unmount: busy, forced true' })
  expect((await stat(socket)).mode & 0o777).toBe(0o600)
})

test('a mount that does not answer in time is named', async () => {
  const { socket } = await startServer(() => sleep(200))
  const message = `Cannot talk to the mount behind "${socket}": it took longer than 50 ms`
  await expect(askControl(systemClock, socket, { command: 'status' }, 50)).rejects.toMatchObject({ code: 'unavailable', message })
})

test('an answer under way is given before the server closes', async () => {
  const { socket, server } = await startServer(async () => {
    await sleep(50)
    return 'late'
  })
  const asked = askControl(systemClock, socket, { command: 'status' }, 1000)
  await sleep(20)
  await server.close()
  expect(await asked).toEqual({ answer: 'late' })
  expect(existsSync(socket)).toBe(false)
})

test('a server that is withdrawn is found by nobody, and answers who has asked before', async () => {
  const { socket, server } = await startServer(async () => {
    await sleep(50)
    return 'late'
  })
  const asked = askControl(systemClock, socket, { command: 'status' }, 1000)
  await sleep(20)
  server.withdraw()
  expect(await askControl(systemClock, socket, { command: 'status' }, 1000)).toBeUndefined()
  expect(await asked).toEqual({ answer: 'late' })
})

test('a client that says nothing more and never hangs up does not keep the server from closing', async () => {
  const { socket, server } = await startServer(() => Promise.resolve('x'.repeat(900_000)))
  const connection = createConnection({ path: socket, allowHalfOpen: true })
  onTestFinished(() => void connection.destroy())
  connection.on('error', () => {})
  connection.pause()
  connection.write('{"command":"status"}\n')
  await sleep(100)
  const startMs = performance.now()
  await server.close()
  expect(performance.now() - startMs).toBeLessThan(1500)
})

test('nonsense gets an error, endless nonsense an end, and both leave the server alive', async () => {
  const { socket } = await startServer(() => Promise.resolve('fine'))
  const say = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const connection = createConnection(socket)
      let answer = ''
      connection.on('data', (part) => (answer += part.toString()))
      connection.on('close', () => resolve(answer))
      connection.on('error', () => {})
      connection.write(text)
    })
  expect(await say('hello\n')).toContain('it is not JSON')
  expect(await say('{"command":"explode"}\n')).toContain('none of \\"status\\", \\"flush\\" and \\"umount\\"')
  expect(await say('x'.repeat(100_000))).toBe('')
  expect(await askControl(systemClock, socket, { command: 'status' }, 1000)).toEqual({ answer: 'fine' })
})

test('a socket whose process is gone is removed', async () => {
  const directory = await tempDirectory()
  const socket = path.join(directory, 'dead.sock')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  // A killed process closes its socket and leaves the file.
  await rename(socket, `${socket}.kept`)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  await rename(`${socket}.kept`, socket)
  expect(listSockets(directory)).toEqual([socket])
  expect(await askControl(systemClock, socket, { command: 'status' }, 1000)).toBeUndefined()
  expect(listSockets(directory)).toEqual([])
  expect(await askControl(systemClock, path.join(directory, 'none.sock'), { command: 'status' }, 1000)).toBeUndefined()
})

test('a socket in a directory that others may enter is not spoken to', async () => {
  const { socket } = await startServer(() => Promise.resolve('fine'))
  await chmod(path.dirname(socket), 0o755)
  await expect(askControl(systemClock, socket, { command: 'status' }, 1000)).rejects.toMatchObject({ code: 'denied' })
  await chmod(path.dirname(socket), 0o700)
  expect(await askControl(systemClock, socket, { command: 'status' }, 1000)).toEqual({ answer: 'fine' })
})

test('who does not answer is given up', async () => {
  const { socket } = await startServer(() => sleep(300))
  await expect(askControl(systemClock, socket, { command: 'status' }, 50)).rejects.toMatchObject({ code: 'unavailable' })
})

test('the directory is the user’s own, or it is refused', async () => {
  const base = await tempDirectory()
  const uid = process.getuid?.() ?? 0
  const directory = socketDirectory({ XDG_RUNTIME_DIR: base }, uid)
  expect(directory).toBe(path.join(base, 'edgemount'))
  prepareSocketDirectory(directory, uid)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  await chmod(directory, 0o755)
  expect(() => prepareSocketDirectory(directory, uid)).toThrow('closed to others')
  expect(() => prepareSocketDirectory(directory, uid + 1)).toThrow('it must be yours')
  writeFileSync(path.join(base, 'file'), '')
  expect(() => prepareSocketDirectory(path.join(base, 'file', 'x'), uid)).toThrow('Set XDG_RUNTIME_DIR')
  expect(listSockets(path.join(base, 'nowhere'))).toEqual([])
})

test('without a runtime directory root and others have places of their own', () => {
  expect(socketDirectory({}, 0)).toBe('/run/edgemount')
  expect(socketDirectory({ XDG_RUNTIME_DIR: 'relative' }, 1001)).toMatch(/edgemount-1001$/)
  expect(socketPath('/run/edgemount', `/${'long/'.repeat(500)}`).length).toBeLessThan(108)
})

test('a server that closes leaves the socket of the next one', async () => {
  const { socket, server } = await startServer(() => Promise.resolve('first'))
  const next = await ControlServer.start(socket, () => Promise.resolve('next'))
  onTestFinished(() => next.close())
  await server.close()
  expect(await askControl(systemClock, socket, { command: 'status' }, 1000)).toEqual({ answer: 'next' })
  await next.close()
  expect(existsSync(socket)).toBe(false)
})

test('flush and umount say for how long', async () => {
  const heard: ControlRequest[] = []
  const { socket } = await startServer((request) => Promise.resolve(heard.push(request)))
  await askControl(systemClock, socket, { command: 'flush' }, 1000)
  await askControl(systemClock, socket, { command: 'flush', waitMs: 0 }, 1000)
  await askControl(systemClock, socket, { command: 'umount', isForced: false, discards: true, waitMs: 5000 }, 1000)
  expect(heard).toEqual([{ command: 'flush' }, { command: 'flush', waitMs: 0 }, { command: 'umount', isForced: false, discards: true, waitMs: 5000 }])
})

test('who gives an answer up is free at once', async () => {
  const { socket } = await startServer(() => sleep(300))
  const given = new AbortController()
  const asked = askControl(systemClock, socket, { command: 'flush' }, 10_000, given.signal)
  given.abort(new EdgemountError('aborted', 'Cannot wait'))
  await expect(asked).rejects.toMatchObject({ code: 'aborted' })
})

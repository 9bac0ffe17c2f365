/**
 * Talks to mounts over their control sockets: one of them, or all of a user's.
 */
import { readdirSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import path from 'node:path'
import { abortError } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import { failure, failureName } from '../sys/failure.ts'
import { isPrivate } from '../sys/user-directory.ts'
import { answerBytesMax, type ControlRequest, decodeAnswer } from './messages.ts'

/**
 * Asks the mount behind a socket. Gives undefined when nobody is there; its socket is removed then. Throws what the mount answered, and `denied` when
 * somebody else could be behind it. The signal gives the answer up, and the mount goes on with what it was asked.
 */
export async function askControl(
  clock: Clock,
  socket: string,
  request: ControlRequest,
  deadlineMs: number,
  outer?: AbortSignal,
): Promise<{ readonly answer: unknown } | undefined> {
  try {
    assertPrivate(path.dirname(socket))
    const talk = (signal: AbortSignal): Promise<string> => exchange(socket, `${JSON.stringify(request)}\n`, signal)
    const line = await withDeadline(clock, deadlineMs, `talk to the mount behind "${socket}"`, outer, talk)
    return { answer: decodeAnswer(line) }
  } catch (error) {
    const name = failureName(error)
    if (name === 'ENOENT') return undefined
    if (name === 'ECONNREFUSED') {
      // The process is gone and could not clean up.
      rmSync(socket, { force: true })
      return undefined
    }
    throw failure(`talk to the mount behind "${socket}"`, error)
  }
}

/** In /tmp anybody can be first, and would be believed. */
function assertPrivate(directory: string): void {
  if (isPrivate(directory, process.getuid?.() ?? 0)) return
  throw new EdgemountError('denied', `Cannot trust the control directory "${directory}": it must be yours and closed to others (chmod 700). Or set XDG_RUNTIME_DIR`)
}

/** Sockets in a control directory, also those whose mount is gone. */
export function listSockets(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.sock'))
      .toSorted()
      .map((name) => path.join(directory, name))
  } catch (error) {
    if (failureName(error) === 'ENOENT') return []
    throw failure(`list the control directory "${directory}"`, error)
  }
}

function exchange(socketFile: string, line: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketFile)
    let text = ''
    const finish = (error: Error | undefined): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      if (error === undefined) resolve(text)
      else reject(error)
    }
    const onAbort = (): void => finish(abortError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.setEncoding('utf8')
    socket.on('error', finish)
    socket.on('data', (part: string) => {
      text += part
      if (text.length > answerBytesMax) finish(new EdgemountError('corrupt', `Cannot talk to the mount behind "${socketFile}": its answer has no end`))
    })
    socket.on('end', () => finish(text.endsWith('\n') ? undefined : new EdgemountError('unavailable', `Cannot talk to the mount behind "${socketFile}": it ended without an answer`)))
    socket.write(line)
  })
}

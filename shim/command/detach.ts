/**
 * `--daemon`: the same command once more as a process of its own session. The first one waits until that one is ready or has failed, tells, and ends.
 */
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { boundLogs } from '../control/ended-logs.ts'
import { prepareSocketDirectory, socketDirectory, socketPath } from '../control/socket-directory.ts'
import { failure } from '../sys/failure.ts'
import { type ExitCode, exitCode, exitCodeHelp } from './exit-code.ts'
import type { Terminal } from './terminal.ts'
import { userId } from './user.ts'

const readyMessage = 'ready'

/** Starts this process's command without `--daemon`. What the new process says until it is ready is passed on. */
export async function startDetached(terminal: Terminal, logFile: string | undefined, directory: string): Promise<ExitCode> {
  const file = logFile ?? defaultLogFile(terminal, directory)
  const fd = openLog(file)
  try {
    const start = fstatSync(fd).size
    const { words, token } = withoutTokenFlag(process.argv.slice(1).filter((word) => word !== '--daemon'))
    const env = token === undefined ? process.env : { ...process.env, EDGEMOUNT_TOKEN: token }
    const child = spawn(process.execPath, [...process.execArgv, ...words], { detached: true, env, stdio: ['ignore', fd, fd, 'ipc'] })
    const code = await new Promise<number | 'ready'>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (exit) => resolve(exit ?? exitCode.failed))
      child.once('message', (message) => {
        if (message === readyMessage) resolve('ready')
      })
      terminal.signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
    })
    const said = readFileSync(file).subarray(start)
    await (code === 'ready' ? terminal.output : terminal.remarks).write(said)
    if (code !== 'ready') return isExitCode(code) ? code : exitCode.failed
    child.disconnect()
    child.unref()
    await terminal.remarks.write(`In the background as process ${child.pid}; it logs to ${file}\n`)
    return exitCode.ok
  } catch (error) {
    throw failure('start a process in the background', error)
  } finally {
    closeSync(fd)
  }
}

/** What stays shows its words to everybody who lists processes: the token goes by the environment. */
function withoutTokenFlag(words: readonly string[]): { readonly words: readonly string[]; readonly token: string | undefined } {
  const at = words.findIndex((word) => word === '--token' || word.startsWith('--token='))
  if (at < 0) return { words, token: undefined }
  const isApart = words[at] === '--token'
  return { words: [...words.slice(0, at), ...words.slice(at + (isApart ? 2 : 1))], token: isApart ? words[at + 1] : words[at]?.slice('--token='.length) }
}

/** In the new process: tells the waiting one, and keeps nothing of it. */
export function announceReady(): void {
  if (process.send === undefined) return
  process.send(readyMessage, () => process.disconnect())
  process.chdir('/')
}

function defaultLogFile(terminal: Terminal, directory: string): string {
  const sockets = socketDirectory(terminal.environment, userId())
  prepareSocketDirectory(sockets, userId())
  const file = socketPath(sockets, path.resolve(directory)).replace(/\.sock$/, '.log')
  boundLogs(sockets, file, systemClock.now())
  return file
}

function openLog(file: string): number {
  try {
    return openSync(file, 'a', 0o600)
  } catch (error) {
    throw failure(`write the log "${file}"`, error, 'Choose another with --log-file')
  }
}

function isExitCode(code: number): code is ExitCode {
  if (Object.hasOwn(exitCodeHelp, code)) return true
  throw new EdgemountError('internal', `Cannot tell how the process in the background ended: code ${code}`)
}

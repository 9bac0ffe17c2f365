/**
 * The `edgemount` command, started by `main.ts`: gives the process's own streams, environment and signals to `command/run.ts`, and exits with what it says.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { WriteStream } from 'node:tty'
import { EdgemountError } from '../shared/error.ts'
import { decodeName } from '../shared/name.ts'
import { commands } from './command/commands.ts'
import { run } from './command/run.ts'
import { bytesOfText, type Output } from './command/terminal.ts'
import { directoryOfUser } from './command/working-directory.ts'

/** What a shell gives a process that wrote to a closed pipe: 128 + SIGPIPE. */
const closedPipeCode = 141

const interruption = new AbortController()
let hurry: (() => void) | undefined

function outputOf(stream: WriteStream): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // `edgemount ls | head`: nobody reads any more. That is no failure worth a word.
    if (error.code === 'EPIPE') process.exit(closedPipeCode)
    throw error
  })
  return {
    isTerminal: stream.isTTY,
    get columns() {
      return stream.columns ?? 80
    },
    write: (text) =>
      new Promise((resolve) => {
        if (stream.write(bytesOfText(text))) resolve()
        else stream.once('drain', resolve)
      }),
  }
}

/** Arguments as the bytes they are: Node replaces what is not UTF-8, and file names need not be. */
function argumentsOf(): readonly string[] {
  const words = process.argv.slice(2)
  if (!words.some((word) => word.includes('\uFFFD'))) return words
  try {
    const parts = decodeName(readFileSync('/proc/self/cmdline')).split('\0').slice(0, -1)
    return parts.slice(parts.length - words.length)
  } catch {
    return words
  }
}

/** The first signal asks for an end, the second one makes it, unless the command has a better way. */
function onSignal(signal: NodeJS.Signals): void {
  const act = hurry
  if (interruption.signal.aborted && act === undefined) process.exit(130)
  if (interruption.signal.aborted) {
    hurry = undefined
    act?.()
    return
  }
  interruption.abort(new EdgemountError('aborted', `Cannot go on: interrupted (${signal})`))
}

const userDirectory = directoryOfUser(process.env)
if (userDirectory !== undefined && existsSync(userDirectory)) process.chdir(userDirectory)

process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)
process.on('SIGHUP', onSignal)

process.exitCode = await run(commands, argumentsOf(), {
  output: outputOf(process.stdout),
  remarks: outputOf(process.stderr),
  input: { isTerminal: process.stdin.isTTY, [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() },
  environment: process.env,
  signal: interruption.signal,
  onHurry: (act) => {
    hurry = act
  },
})
// What a command leaves open (a keep-alive connection, a worker) must not keep a finished process.
process.stdout.write('', () => process.exit())

/** `--serve <host>:<port>` or `off`. */
import { UsageError } from './arguments.ts'
import type { EdgeAddress } from './edge-process.ts'

/** Undefined for `off`. The address that nobody chose gives way to the next free port. */
export function parseServe(text: string, defaultText: string): EdgeAddress | undefined {
  if (text === 'off') return undefined
  const match = /^(?:(.*):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2] ?? 65_536)
  if (match === null || port > 65_535) throw new UsageError(`Cannot serve on "${text}": it is neither <host>:<port>, such as 127.0.0.1:8787, nor "off"`)
  const host = match[1] ?? '127.0.0.1'
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port, isNextTaken: text === defaultText, flag: '--serve' }
}

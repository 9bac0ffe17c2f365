/**
 * What a command has of the world: where it prints, what it reads, its environment, and the signal that Ctrl-C fires.
 * `main.ts` makes the real one, tests make their own.
 */
import { untilAborted } from '../../shared/abort.ts'
import { decodeName, encodeName } from '../../shared/name.ts'

export interface Output {
  /** Resolves when more may be written. Strings are file-name text: lone surrogates come out as the bytes they stand for. */
  write(text: string | Uint8Array): Promise<void>
  readonly isTerminal: boolean
  /** Columns of the terminal; 80 where that is not known. */
  readonly columns: number
}

export interface Input extends AsyncIterable<Uint8Array> {
  readonly isTerminal: boolean
}

export interface Terminal {
  readonly output: Output
  /** Standard error: progress, remarks, errors. */
  readonly remarks: Output
  readonly input: Input
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Fires on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
  /** What a second Ctrl-C does, once, in place of ending the process at once. */
  onHurry(act: () => void): void
}

/** What was typed up to the end of a line; undefined when the input has ended without one. Only where nobody else reads the input. */
export async function readLine(input: Input, signal: AbortSignal): Promise<string | undefined> {
  const parts = input[Symbol.asyncIterator]()
  let text = ''
  for (;;) {
    const part = await untilAborted(parts.next(), signal)
    if (part.done === true) return undefined
    text += decodeName(part.value)
    const end = text.indexOf('\n')
    if (end >= 0) return text.slice(0, end)
    if (text.length > lineLengthMax) return undefined
  }
}

const lineLengthMax = 4096

/** Text for one line of a terminal: control characters, which a file name may hold, and bytes that are no UTF-8, become `?`, as `ls` does it. */
export function plainText(text: string, output: Output): string {
  // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
  return output.isTerminal ? text.replaceAll(/[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/gu, '?') : text
}

export function bytesOfText(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? encodeName(text) : text
}

/** One JSON document, for people too: indented on a terminal, one line elsewhere. */
export function jsonText(value: unknown, output: Output): string {
  return `${JSON.stringify(value, undefined, output.isTerminal ? 2 : undefined)}\n`
}

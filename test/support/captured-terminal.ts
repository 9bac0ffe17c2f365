/** A terminal that keeps what a command prints. */
import type { Output, Terminal } from '../../shim/command/terminal.ts'
import { bytesOfText } from '../../shim/command/terminal.ts'

export class CapturedTerminal implements Terminal {
  printed = ''
  remarked = ''
  readonly output: Output
  readonly remarks: Output
  readonly input: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) }
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal

  constructor({ environment = {}, isTerminal = false, signal = new AbortController().signal }: { environment?: Record<string, string>; isTerminal?: boolean; signal?: AbortSignal } = {}) {
    this.environment = environment
    this.signal = signal
    const outputTo = (keep: (text: string) => void): Output => ({
      isTerminal,
      columns: 80,
      write: (text) => {
        keep(Buffer.from(bytesOfText(text)).toString())
        return Promise.resolve()
      },
    })
    this.output = outputTo((text) => (this.printed += text))
    this.remarks = outputTo((text) => (this.remarked += text))
  }
}

/** A terminal that keeps what a command prints. */
import type { Input, Output, Terminal } from '../../shim/command/terminal.ts'
import { bytesOfText } from '../../shim/command/terminal.ts'

export class CapturedTerminal implements Terminal {
  printed = ''
  remarked = ''
  readonly output: Output
  readonly remarks: Output
  readonly input: Input
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** What the command does on a second Ctrl-C. */
  hurry: (() => void) | undefined

  /** `typed` comes in these parts. */
  constructor(options: { environment?: Record<string, string>; isTerminal?: boolean; signal?: AbortSignal; typed?: readonly string[] } = {}) {
    const { environment = {}, isTerminal = false, signal = new AbortController().signal, typed = [] } = options
    const parts = typed.map((part) => Buffer.from(part)).values()
    this.input = { isTerminal, [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(parts.next()) }) }
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

  onHurry(act: () => void): void {
    this.hurry = act
  }
}

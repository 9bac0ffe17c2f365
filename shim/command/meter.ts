/**
 * A line that shows how long work goes on: redrawn in place on a terminal, silent elsewhere unless the work takes long.
 */
import type { Clock } from '../../shared/clock.ts'
import type { Output } from './terminal.ts'

const terminalMs = 100
/** In a log a line every so often says that something still happens. */
const logMs = 10_000

export class Meter {
  readonly #output: Output
  readonly #draw: () => string
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  #isDrawn = false

  /** `draw` gives the line; it is asked only when a line is to be shown. */
  constructor(clock: Clock, output: Output, isQuiet: boolean, draw: () => string) {
    this.#output = output
    this.#draw = draw
    this.#running = isQuiet ? Promise.resolve() : this.#run(clock)
  }

  /** Takes the line away for good. */
  async stop(): Promise<void> {
    this.#end.abort()
    await this.#running
    await this.clear()
  }

  /** Takes the line away until it is drawn again, for something else to be printed. */
  async clear(): Promise<void> {
    if (!this.#isDrawn) return
    this.#isDrawn = false
    await this.#output.write('\r\u001b[K')
  }

  async #run(clock: Clock): Promise<void> {
    const isOver = (): boolean => this.#end.signal.aborted
    while (!isOver()) {
      // Ends early, by an abort, when the work is over.
      await clock.sleep(this.#output.isTerminal ? terminalMs : logMs, this.#end.signal).catch(() => undefined)
      if (!isOver()) await this.#show()
    }
  }

  async #show(): Promise<void> {
    const line = this.#draw()
    if (!this.#output.isTerminal) {
      await this.#output.write(`${line}\n`)
      return
    }
    this.#isDrawn = true
    await this.#output.write(`\r${line.slice(0, this.#output.columns - 1)}\u001b[K`)
  }
}

/** `[#####.....]` */
export function bar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction || 0)) * width)
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`
}

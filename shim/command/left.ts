/**
 * What a mount has left to publish, as people see it: the bar while somebody waits for it, and what is said of what stays here. Shared by the mount's own
 * process, `flush` and `umount`.
 */
import { type Clock, systemClock } from '../../shared/clock.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { numberOf, textOf } from './answer-field.ts'
import { bar, Meter } from './meter.ts'
import { counted, formatBytes } from './quantity.ts'
import { plainText, type Terminal } from './terminal.ts'

export interface Left {
  readonly changeCount: number
  readonly dirtyBytes: number
  /** Since the mount began. */
  readonly uploadedBytes: number
  readonly bytesPerSecond: number
  /** Why it is tried again. */
  readonly error: string | undefined
}

const askEveryMs = 250

/** From a mount's status, as it is or as JSON. Undefined for a read-only mount. */
export function leftOf(status: unknown): Left | undefined {
  const publishing = fieldOf(status, 'publishing')
  if (publishing === undefined || publishing === null) return undefined
  return {
    changeCount: numberOf(publishing, 'changeCount'),
    dirtyBytes: numberOf(publishing, 'dirtyBytes'),
    uploadedBytes: numberOf(publishing, 'uploadedBytes'),
    bytesPerSecond: numberOf(publishing, 'uploadBytesPerSecond'),
    error: textOf(fieldOf(publishing, 'lastError'), 'message') ?? textOf(publishing, 'uploadError'),
  }
}

/** `3 changes, 12.0 KiB`. */
export function amountText({ changeCount, dirtyBytes }: Pick<Left, 'changeCount' | 'dirtyBytes'>): string {
  return `${counted(changeCount, 'change')}, ${formatBytes(dirtyBytes)}`
}

/** How far it is from `first` to nothing. */
export function leftLine(first: Left, now: Left): string {
  const storedBytes = Math.max(now.uploadedBytes - first.uploadedBytes, first.dirtyBytes - now.dirtyBytes)
  // What is stored counts for its files when the commit is there: until then it is not whole.
  const stored = Math.min(0.99, storedBytes / first.dirtyBytes)
  const fraction = now.changeCount === 0 ? 1 : first.dirtyBytes > 0 ? stored : 1 - now.changeCount / first.changeCount
  const how = now.error ?? `${formatBytes(now.bytesPerSecond)}/s`
  return `${bar(fraction, 20)} ${amountText(now)} left, ${how}`
}

/** Looks again and again what a mount has left, and shows it. */
export class LeftMeter {
  readonly #ask: () => Promise<unknown>
  readonly #meter: Meter
  readonly #end = new AbortController()
  readonly #watching: Promise<void>
  #first: Left | undefined
  #now: Left | undefined

  /** `ask` gives the mount's status, or throws. */
  constructor({ remarks }: Terminal, isQuiet: boolean, ask: () => Promise<unknown>) {
    this.#ask = ask
    this.#meter = new Meter(systemClock, remarks, isQuiet, () => plainText(this.#line(), remarks))
    this.#watching = this.#watch(systemClock)
  }

  /** Takes the line away. */
  async stop(): Promise<void> {
    this.#end.abort()
    await this.#meter.stop()
    await this.#watching
  }

  #line(): string {
    return this.#first === undefined || this.#now === undefined ? 'Asking the mount …' : leftLine(this.#first, this.#now)
  }

  async #watch(clock: Clock): Promise<void> {
    const isOver = (): boolean => this.#end.signal.aborted
    while (!isOver()) {
      const left = await this.#ask().then(leftOf, () => undefined)
      this.#now = left ?? this.#now
      this.#first ??= left
      await clock.sleep(askEveryMs, this.#end.signal).catch(() => undefined)
    }
  }
}

/** What the end of a mount has left on this machine. */
export function keptText(unpublished: { readonly changeCount: number; readonly dirtyBytes: number; readonly why: string; readonly directory: string | undefined }): string {
  const { why, directory = '?' } = unpublished
  return `${why}. Not published: ${amountText(unpublished)}, kept in "${directory}". The next mount of the volume with this cache publishes it; do not delete it before.`
}

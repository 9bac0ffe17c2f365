/**
 * The uploads of a page: a few files at once, the others in line, each with its state. They go on while other places are looked at. Knows no element; `dock.ts` shows it.
 *
 * INVARIANT: nothing that is there is replaced before somebody said so, once for all files that were dropped together.
 */
import { EdgemountError, codeOf } from '../../../shared/error.ts'
import { shownName } from '../format.ts'
import type { Dropped } from './dropped.ts'
import { pathBelow } from './dropped.ts'
import { numberedPath } from './free-name.ts'
import { RateMeter } from './rate.ts'
import { type UploadWorld, discardUpload, uploadFile } from './upload-file.ts'

export type Decision = 'replace' | 'keep-both' | 'skip'

export type ItemState = 'waiting' | 'sending' | 'retrying' | 'asking' | 'done' | 'skipped' | 'failed' | 'cancelled'

/** As it is at the moment. */
export interface UploadItem {
  readonly number: number
  readonly volume: string
  readonly path: string
  /** Undefined for an empty folder. */
  readonly file: File | undefined
  readonly state: ItemState
  readonly sentBytes: number
  /** Under which name it is being sent, or was when it failed: its own, or a numbered one. */
  readonly sendingTo: string | undefined
  /** Why it failed, or waits. */
  readonly error: unknown
}

export interface Totals {
  readonly count: number
  readonly endedCount: number
  readonly failedCount: number
  readonly bytes: number
  readonly sentBytes: number
  readonly bytesPerSecond: number
  readonly secondsLeft: number | undefined
}

export interface QueueParts {
  readonly world: UploadWorld
  readonly exists: (volume: string, path: string, signal: AbortSignal) => Promise<boolean>
  readonly makeFolder: (volume: string, path: string, signal: AbortSignal) => Promise<void>
  /** Asked at the first name that is taken. */
  readonly decide: (path: string, count: number) => Promise<Decision>
  /** An item is other than before, or there are others. */
  readonly onChange: (item: UploadItem | undefined) => void
  /** Something of the volume is other than before, and nothing is under way. */
  readonly onIdle: () => void
}

interface Batch {
  decision: Promise<Decision> | undefined
  readonly count: number
}

type Mutable = { -readonly [Key in keyof UploadItem]: UploadItem[Key] } & { batch: Batch; decided: Decision | undefined; ending: AbortController }

const atOnce = 3
const namesTriedMax = 100
const ended: readonly ItemState[] = ['done', 'skipped', 'failed', 'cancelled']

export class UploadQueue {
  readonly #parts: QueueParts
  readonly #rate = new RateMeter()
  readonly #items = new Map<number, Mutable>()
  /** In line; some may have been cancelled since. */
  #line: Mutable[] = []
  #lineStart = 0
  #openCount = 0
  #running = 0
  #nextNumber = 1

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  get items(): readonly UploadItem[] {
    return [...this.#items.values()]
  }

  get isBusy(): boolean {
    return this.#openCount > 0
  }

  get totals(): Totals {
    const items = this.items
    const counted = items.filter(({ state }) => state !== 'cancelled' && state !== 'skipped')
    const sum = (of: (item: UploadItem) => number): number => counted.reduce((all, item) => all + of(item), 0)
    const bytes = sum(({ file }) => file?.size ?? 0)
    const sentBytes = sum((item) => (item.state === 'done' ? (item.file?.size ?? 0) : item.sentBytes))
    const nowMs = this.#parts.world.clock.now()
    this.#rate.note(nowMs, sentBytes)
    const endedCount = items.filter(({ state }) => ended.includes(state)).length
    const failedCount = items.filter(({ state }) => state === 'failed').length
    // While all that is begun waits for the edge, nobody can say when it is done.
    const isMoving = !items.some(({ state }) => state === 'retrying') || items.some(({ state }) => state === 'sending')
    return { count: items.length, endedCount, failedCount, bytes, sentBytes, ...(isMoving ? { bytesPerSecond: this.#rate.perSecond(nowMs), secondsLeft: this.#rate.secondsLeft(nowMs, bytes - sentBytes) } : { bytesPerSecond: 0, secondsLeft: undefined }) }
  }

  /** Below a folder of a volume. Throws `invalid` when a name can be none there; then nothing is begun. */
  add(volume: string, folder: string, { files, emptyFolders }: Dropped): void {
    const batch: Batch = { decision: undefined, count: files.length }
    const added = [
      ...emptyFolders.map((names) => ({ path: pathBelow(folder, names), file: undefined })),
      ...files.map(({ names, file }) => ({ path: pathBelow(folder, names), file })),
    ]
    for (const { path, file } of added) {
      const item: Mutable = { number: this.#nextNumber, volume, path, file, state: 'waiting', sentBytes: 0, sendingTo: undefined, error: undefined, batch, decided: undefined, ending: new AbortController() }
      this.#items.set(item.number, item)
      this.#line.push(item)
      this.#openCount += 1
      this.#nextNumber += 1
    }
    this.#parts.onChange(undefined)
    this.#pump()
  }

  cancel(number: number): void {
    const item = this.#items.get(number)
    if (item === undefined || ended.includes(item.state)) return
    this.#set(item, { state: 'cancelled' })
    item.ending.abort()
    const { volume, sendingTo, file } = item
    // What an earlier page began under the same name is not this one's.
    if (file !== undefined && sendingTo !== undefined) discardUpload(this.#parts.world, { volume, path: sendingTo, file }, new AbortController().signal).catch(() => undefined)
    this.#pump()
  }

  cancelAll(): void {
    for (const number of this.#items.keys()) this.cancel(number)
  }

  retry(number: number): void {
    const item = this.#items.get(number)
    if (item?.state !== 'failed' && item?.state !== 'cancelled') return
    item.ending = new AbortController()
    // Another answer may be wanted.
    if (codeOf(item.error) === 'conflict') Object.assign(item, { decided: undefined, batch: { decision: undefined, count: 1 } })
    this.#set(item, { state: 'waiting', error: undefined, sentBytes: 0 })
    this.#pump()
  }

  /** What has ended is shown no more. */
  clear(): void {
    for (const [number, { state }] of this.#items) if (ended.includes(state)) this.#items.delete(number)
    this.#parts.onChange(undefined)
  }

  #pump(): void {
    while (this.#running < atOnce) {
      const next = this.#line[this.#lineStart]
      if (next === undefined) break
      this.#lineStart += 1
      if (next.state !== 'waiting') continue
      this.#running += 1
      this.#set(next, { state: 'sending' })
      void this.#run(next).finally(() => {
        this.#running -= 1
        this.#pump()
        if (!this.isBusy) this.#parts.onIdle()
      })
    }
    if (this.#lineStart < this.#line.length) return
    this.#line = []
    this.#lineStart = 0
  }

  /** Never rejects. */
  async #run(item: Mutable): Promise<void> {
    const { signal } = item.ending
    try {
      const state = item.file === undefined ? await this.#makeFolder(item, signal) : await this.#send(item, item.file, signal)
      if (state !== undefined && !signal.aborted) this.#set(item, { state })
    } catch (error) {
      if (!signal.aborted) this.#set(item, { state: codeOf(error) === 'aborted' ? 'cancelled' : 'failed', error })
    }
  }

  async #makeFolder({ volume, path }: Mutable, signal: AbortSignal): Promise<ItemState> {
    await this.#parts.makeFolder(volume, path, signal)
    return 'done'
  }

  /** Undefined when it waits for an answer. */
  async #send(item: Mutable, file: File, signal: AbortSignal): Promise<'done' | undefined> {
    const { world, exists } = this.#parts
    const { volume, path, decided } = item
    // Before it is sent: a long body for nothing helps nobody.
    if (decided === undefined && (await exists(volume, path, signal))) return this.#ask(item)
    const tried = decided === 'keep-both' ? namesTriedMax : 1
    for (let number = 1; number <= tried; number += 1) {
      const to = number === 1 ? path : numberedPath(path, number)
      if (number > 1 && (await exists(volume, to, signal))) continue
      if (number === 1 && decided === 'keep-both') continue
      this.#set(item, { sendingTo: to })
      const outcome = await uploadFile(world, {
        volume,
        path: to,
        file,
        replaces: decided === 'replace',
        signal,
        onSent: (sentBytes) => this.#set(item, { state: 'sending', sentBytes, error: undefined }),
        onWaiting: (error) => this.#set(item, { state: 'retrying', error }),
      })
      if (outcome === 'done') {
        this.#set(item, { path: to, sentBytes: file.size, sendingTo: undefined })
        return 'done'
      }
      this.#set(item, { sendingTo: undefined })
    }
    if (decided !== 'keep-both') return this.#ask(item)
    throw new EdgemountError('conflict', `Cannot keep both: “${shownName(path)}” is there, and so are ${namesTriedMax - 1} others with a number; rename the file here, and upload it again`)
  }

  /** The item waits without a place; the others go on. */
  #ask(item: Mutable): undefined {
    this.#set(item, { state: 'asking', sentBytes: 0 })
    item.batch.decision ??= this.#parts.decide(item.path, item.batch.count)
    void this.#hear(item, item.batch.decision)
    return undefined
  }

  async #hear(item: Mutable, asked: Promise<Decision>): Promise<void> {
    const decision = await asked
    if (item.state !== 'asking') return
    item.decided = decision
    this.#set(item, { state: decision === 'skip' ? 'skipped' : 'waiting' })
    this.#pump()
    if (!this.isBusy) this.#parts.onIdle()
  }

  #set(item: Mutable, change: Partial<UploadItem>): void {
    if (item.state === 'cancelled' && change.state !== 'waiting') return
    const wasOpen = !ended.includes(item.state)
    if (change.state === 'waiting') this.#line.push(item)
    Object.assign(item, change)
    this.#openCount += Number(!ended.includes(item.state)) - Number(wasOpen)
    this.#parts.onChange(item)
  }
}

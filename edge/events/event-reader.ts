/**
 * One listener's way through a volume's log: batches of events after a position, each event a line of JSON, and the position behind them. Whole records, or with a
 * prefix only what shows below it; then the position moves on over commits of which nothing is told. Called by the events route.
 */
import { EdgemountError } from '../../shared/error.ts'
import { encodeRecord } from '../../shared/format/commit.ts'
import { rootPath } from '../../shared/path.ts'
import { EventFilter } from '../../shared/volume/event-filter.ts'
import type { Follower } from './follower.ts'
import type { OpenVolume } from '../volumes.ts'

export interface EventText {
  readonly seq: number
  /** One line: JSON escapes newlines. */
  readonly text: string
}

const decoder = new TextDecoder()

export class EventReader {
  readonly #follower: Follower
  readonly #filter: EventFilter | undefined
  #position: number

  private constructor(follower: Follower, filter: EventFilter | undefined, position: number) {
    this.#follower = follower
    this.#filter = filter
    this.#position = position
  }

  /** For somebody who has joined the follower. Throws `stale` for a position that the volume never had. */
  static async open({ name, volume, follower }: OpenVolume, start: { readonly after: number | undefined; readonly prefix: string }, signal: AbortSignal): Promise<EventReader> {
    const { after = follower.latestSeq, prefix } = start
    // The follower may not yet know of a commit that another edge has told.
    if (after > follower.latestSeq) {
      const { seq } = await volume.head({ signal })
      const why = `its newest commit is ${seq}: it is another volume of this name by now, or an older state of it; begin at its head`
      if (after > seq) throw new EdgemountError('stale', `Cannot follow "${name}" from ${after}: ${why}`)
    }
    const filter = new EventFilter({
      prefix,
      readRecord: (seq, limit) => follower.record(seq, limit),
      loadPage: (pointer, limit) => volume.loadPage(pointer, limit),
    })
    return new EventReader(follower, prefix === rootPath ? undefined : filter, after)
  }

  /** All up to this seq was told, or is not to be told. */
  get position(): number {
    return this.#position
  }

  get latestSeq(): number {
    return Math.max(this.#position, this.#follower.latestSeq)
  }

  /** True when there is more to read without waiting. */
  get isBehind(): boolean {
    return this.#position < this.#follower.latestSeq
  }

  /** The events of the next records; waits at most `waitMs` for a record, which may have none. */
  async next(waitMs: number, signal: AbortSignal): Promise<readonly EventText[]> {
    const events: EventText[] = []
    for (const record of await this.#follower.next(this.#position, waitMs, signal)) {
      const { seq } = record
      const filtered = this.#filter === undefined ? undefined : await this.#filter.apply(record, signal)
      if (this.#filter === undefined) events.push({ seq, text: decoder.decode(encodeRecord(record)).trim() })
      else if (filtered !== undefined) events.push({ seq, text: JSON.stringify(filtered) })
      this.#position = seq
    }
    return events
  }
}

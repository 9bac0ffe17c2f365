/**
 * A publisher over a volume in memory, and in place of the file-system thread a folder of backing files whose changes are known: files in the volume's root
 * directory, written and removed by the test.
 */
import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { aroundCalls } from '../../../edge/store/around.ts'
import { type FaultPlan, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { type Clock, systemClock } from '../../../shared/clock.ts'
import { decodeEntry } from '../../../shared/format/entry-codec.ts'
import { encodeManifestRoot } from '../../../shared/format/content-codec.ts'
import type { Entry, FileId, Time } from '../../../shared/format/entry.ts'
import type { LogFields } from '../../../shared/log.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import type { ChangeSet } from '../../../shared/volume/change-set.ts'
import { rootFileId } from '../../../shared/volume/file-id.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import type { Batch, BatchBody, Published, ToChanges, ToPublisher } from '../../../shim/changes/publishing.ts'
import { BodyContents } from '../../../shim/publish/body-contents.ts'
import { PatientStore } from '../../../shim/publish/patient-store.ts'
import { Publisher } from '../../../shim/publish/publisher.ts'
import { VolumeTarget } from '../../../shim/publish/volume-target.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { engineOf, newVolume } from '../../support/test-volume.ts'

interface LocalFile {
  readonly id: FileId
  readonly name: string
  readonly path: string
  /** As the volume has it. */
  base: Entry | undefined
  generation: number
  isChanged: boolean
  isGone: boolean
  isOpen: boolean
  written: readonly number[] | undefined
}

const zeroTime: Time = { seconds: 0, nanoseconds: 0 }

export class PublishBed {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'edgemount-publish-'))
  readonly memory = new MemoryStore()
  plan: FaultPlan = () => undefined
  /** Keys that were created. */
  readonly puts: string[] = []
  /** Of packs. */
  storedBytes = 0
  readonly lines: string[] = []
  readonly published: Published[] = []
  readonly batches: Batch[] = []
  readonly sent: ToChanges[] = []
  /** Called while the batch is out, before it is answered. */
  onBatch: (batch: Batch) => void = () => undefined
  readonly files = new Map<string, LocalFile>()
  /** Names of new files whose bodies cannot be looked at: they are not in batches. */
  readonly unseen = new Set<string>()
  /** A negative errno: no batch can be given out. */
  refusal = 0
  volume!: Volume
  publisher!: Publisher
  #stop = new AbortController()
  #store!: PatientStore
  readonly #clock: Clock
  #baseSeq = 1
  #counter = 0
  #out: Batch | undefined
  #nextId = 1000
  #nonceCount = 0
  #isTelling = false
  /** Nobody remembers what became of it. */
  #doubt: Batch | undefined

  private constructor(clock: Clock) {
    this.#clock = clock
  }

  static async make(options: { readonly clock?: Clock; readonly delayMs?: number } = {}): Promise<PublishBed> {
    const bed = new PublishBed(options.clock ?? systemClock)
    await newVolume({ store: bed.memory })
    await bed.restart(options.delayMs ?? 50)
    return bed
  }

  /** A new publisher, as after a restart of the process; a batch that is out is in doubt from then on. */
  async restart(delayMs = 50): Promise<void> {
    await this.close()
    this.#stop = new AbortController()
    this.#doubt = this.#out
    const clock = this.#clock
    const random = new SeededRandom(7)
    const counted: ObjectStore = aroundCalls(faultStore(this.memory, { clock, plan: (call) => this.plan(call) }), (call, run) => {
      if (call.operation === 'create') this.puts.push(call.key)
      return run(call.signal)
    })
    this.#store = new PatientStore({ store: counted, clock, random, signal: this.#stop.signal, onOutcome: () => undefined, onStored: (bytes) => void (this.storedBytes += bytes) })
    this.volume = await Volume.open(engineOf(this.#store, { clock, seed: 100 + this.#nonceCount }))
    const target = new VolumeTarget(this.volume, 'bed')
    const keep = (message: string, fields: LogFields = {}): void => void this.lines.push(`${message} ${JSON.stringify(fields)}`)
    this.publisher = new Publisher({
      settings: { delayMs, delayMsMax: 30_000 },
      contents: new BodyContents(target, () => performance.now()),
      commit: (set, name) => target.commit(set, name),
      find: (name, signal) => target.find(name, signal),
      startOver: () => target.startOver(),
      untilShown: async (seq) => {
        this.#baseSeq = Math.max(this.#baseSeq, seq)
      },
      send: (message) => this.#receive(structuredClone(message)),
      clock,
      now: () => clock.now(),
      random,
      log: { debug: keep, info: keep, warn: keep, error: keep },
    })
    this.publisher.start()
    this.#tellPending()
  }

  /** Writes a file, as a program would. */
  write(name: string, bytes: Uint8Array | string): LocalFile {
    const file = this.files.get(name) ?? this.#newFile(name)
    writeFileSync(file.path, bytes)
    file.generation += 1
    file.written = undefined
    file.isChanged = true
    file.isGone = false
    this.#noteChange()
    return file
  }

  /** A partial body over what is published: only `ranges` of the backing file count. */
  writeRanges(name: string, size: number, ranges: readonly (readonly [start: number, bytes: Uint8Array])[]): void {
    const file = this.files.get(name)!
    const bytes = new Uint8Array(size)
    for (const [start, part] of ranges) bytes.set(part, start)
    writeFileSync(file.path, bytes)
    file.generation += 1
    file.written = ranges.flatMap(([start, part]) => [start, start + part.length])
    file.isChanged = true
    this.#noteChange()
  }

  /** Makes a file longer without filling it, and writes a little into it. */
  extend(name: string, size: number, parts: readonly (readonly [start: number, bytes: Uint8Array])[]): void {
    const file = this.files.get(name)!
    truncateSync(file.path, size)
    const fd = openSync(file.path, 'r+')
    for (const [start, bytes] of parts) writeSync(fd, bytes, 0, bytes.length, start)
    closeSync(fd)
    file.generation += 1
    file.isChanged = true
    this.#noteChange()
  }

  remove(name: string): void {
    const file = this.files.get(name)!
    file.isGone = true
    this.#noteChange()
  }

  /** Moves the backing file's time of change on, as the kernel does when a program writes through a mapping. */
  touch(name: string): void {
    const { path: file } = this.files.get(name)!
    const { mtimeMs } = statSync(file)
    utimesSync(file, mtimeMs / 1000 + 1, mtimeMs / 1000 + 1)
  }

  async flush(deadlineMs = 10_000): Promise<void> {
    await this.publisher.flush({ deadlineMs })
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.publisher?.close()
  }

  async dispose(): Promise<void> {
    await this.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  #newFile(name: string): LocalFile {
    this.#nextId += 1
    const id = this.#nextId as FileId
    const file = { id, name, path: path.join(this.directory, String(id)), base: undefined, generation: 0, isChanged: false, isGone: false, isOpen: false, written: undefined }
    this.files.set(name, file)
    return file
  }

  #noteChange(): void {
    this.#counter += 1
    if (this.#isTelling) return
    this.#isTelling = true
    setImmediate(() => {
      this.#isTelling = false
      this.#tellPending()
    })
  }

  #changed(): LocalFile[] {
    return [...this.files.values()].filter(({ isChanged, isGone }) => isChanged || isGone)
  }

  #tellPending(): void {
    const changed = this.#changed()
    const nowMs = this.#clock.now()
    const pending = { changeCount: changed.length, dirtyBytes: 0, dirtyFileCount: changed.length, oldestMs: nowMs, newestMs: nowMs, counter: this.#counter }
    this.#answer({ kind: 'pending', pending })
  }

  #answer(message: ToPublisher): void {
    const clone = structuredClone(message)
    queueMicrotask(() => this.publisher.receive(clone))
  }

  #receive(message: ToChanges): void {
    this.sent.push(message)
    if (message.kind === 'take-batch') this.#takeBatch()
    else if (message.kind === 'verify') this.#verify(message.ids)
    else if (message.kind === 'published') this.#settle(message.published)
    else if (message.kind === 'not-published') this.#out = this.#doubt = undefined
  }

  #takeBatch(): void {
    if (this.#doubt !== undefined) {
      const { counter, nonce, baseSeq } = this.#doubt
      this.#answer({ kind: 'in-doubt', doubt: { counter, nonce, baseSeq } })
      return
    }
    if (this.refusal < 0) {
      this.#answer({ kind: 'batch-failed', result: this.refusal })
      return
    }
    const all = this.#changed()
    const changed = all.filter(({ name }) => !this.unseen.has(name))
    const unseen = all.filter(({ name }) => this.unseen.has(name)).map(({ id, name }) => ({ id, label: `/${name}`, size: 0, result: -5 }))
    if (all.length === 0) {
      this.#answer({ kind: 'batch', batch: undefined })
      return
    }
    this.#nonceCount += 1
    const bodies = changed.filter(({ isChanged, isGone }) => isChanged && !isGone).map(bodyOf)
    this.#out = { counter: this.#counter, nonce: `nonce-${this.#nonceCount}`, baseSeq: this.#baseSeq, shownSeq: this.#baseSeq, changes: changeSetOf(changed), bodies, unseen }
    this.batches.push(this.#out)
    this.onBatch(this.#out)
    this.#answer({ kind: 'batch', batch: this.#out })
  }

  #verify(ids: readonly FileId[]): void {
    const files = new Map([...this.files.values()].map((file) => [file.id, file]))
    const unchanged = ids.filter((id) => {
      const body = this.#out?.bodies.find((each) => each.id === id)
      const now = bodyOf(files.get(id)!)
      return body?.generation === now.generation && body.mtime.seconds === now.mtime.seconds && body.mtime.nanoseconds === now.mtime.nanoseconds
    })
    this.#answer({ kind: 'verified', verified: { unchanged } })
  }

  #settle(published: Published): void {
    this.published.push(published)
    const entries = new Map(published.nodes.map(({ id, entry }) => [id, decodeEntry(entry)]))
    for (const file of Array.from(this.files.values())) {
      const wasOut = this.#out?.changes.nodes.some(({ id }) => id === file.id) === true
      if (!wasOut) continue
      if (file.isGone) {
        this.files.delete(file.name)
        continue
      }
      file.base = entries.get(file.id) ?? file.base
      const went = published.bodies.find(({ id }) => id === file.id)
      if (went?.generation === file.generation) file.isChanged = false
    }
    this.#out = undefined
    this.#doubt = undefined
    this.#tellPending()
  }
}

function bodyOf(file: LocalFile): BatchBody {
  const { mtimeNs, size } = statSync(file.path, { bigint: true })
  const base = file.base?.content.kind === 'manifest' ? encodeManifestRoot(file.base.content.root) : undefined
  return {
    id: file.id,
    path: file.path,
    label: `/${file.name}`,
    size: Number(size),
    generation: file.generation,
    mtime: { seconds: Number(mtimeNs / 1_000_000_000n), nanoseconds: Number(mtimeNs % 1_000_000_000n) },
    base: file.written === undefined || base === undefined ? undefined : { manifest: base, length: file.base!.size },
    written: file.written,
    previous: base,
    isOpen: file.isOpen,
  }
}

function changeSetOf(files: readonly LocalFile[]): ChangeSet {
  return {
    names: files.map(({ name, id, base, isGone }) => ({ directoryId: rootFileId, name, before: base === undefined ? undefined : id, after: isGone ? undefined : id })),
    nodes: files.filter(({ base, isGone }) => !isGone || base !== undefined).map(({ id, base, isGone }) => ({ id, before: base, after: isGone ? undefined : (base ?? emptyEntry(id)) })),
    places: [],
  }
}

function emptyEntry(id: FileId): Entry {
  return { kind: 'file', id, mode: 0o644, uid: 0, gid: 0, mtime: zeroTime, ctime: zeroTime, size: 0, linkCount: 1, xattrs: new Map(), content: { kind: 'inline', bytes: new Uint8Array(0) } }
}

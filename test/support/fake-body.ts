/** Bodies as `LocalChanges` knows them, over a disk that is a map and outlives them. */
import { Reader, Writer } from '../../shared/codec.ts'
import type { SyncFile } from '../../shim/bodies/body-file.ts'
import type { BodyStamp } from '../../shim/bodies/local-body.ts'
import type { ChangedBody } from '../../shim/changes/edit.ts'

interface DiskFile {
  data: string
  mtimeSeconds: number
}

export class FakeDisk {
  readonly files = new Map<number, DiskFile>()
  readonly mapped = new Set<number>()
  #lastSerial = 0
  #seconds = 1_600_000_000

  create(data: string): number {
    this.#lastSerial += 1
    this.files.set(this.#lastSerial, { data, mtimeSeconds: this.tick() })
    return this.#lastSerial
  }

  tick(): number {
    this.#seconds += 1
    return this.#seconds
  }

  read(path: string): string {
    return this.files.get(Number(path))!.data
  }

  remove(path: string): void {
    this.files.delete(Number(path))
  }
}

export class FakeBody implements ChangedBody {
  readonly serial: number
  readonly #disk: FakeDisk
  generation = 0
  pinCount = 0
  syncCount = 0
  syncResult = 0
  base: ChangedBody['base']
  writtenEdges: number[] = []

  constructor(disk: FakeDisk, serial: number) {
    this.#disk = disk
    this.serial = serial
  }

  static restore(disk: FakeDisk, state: Uint8Array, noted: readonly { readonly start: number; readonly end: number }[]): FakeBody | undefined {
    const reader: Reader = new Reader(state, 'the state of a fake body')
    const serial = reader.varint()
    if (!disk.files.has(serial)) return undefined
    const body = new FakeBody(disk, serial)
    while (reader.left > 0) body.writtenEdges.push(reader.varint())
    for (const { start, end } of noted) body.writtenEdges.push(start, end)
    return body
  }

  get path(): string {
    return String(this.serial)
  }

  get isAlone(): boolean {
    return !this.#disk.mapped.has(this.serial)
  }

  read(): string {
    return this.#file.data
  }

  write(data: string): void {
    this.#file.data = data
    this.#file.mtimeSeconds = this.#disk.tick()
  }

  fstat(): { readonly size: number; readonly mtimeSeconds: number; readonly mtimeNanoseconds: number } | number {
    const file = this.#disk.files.get(this.serial)
    return file === undefined ? -2 : { size: file.data.length, mtimeSeconds: file.mtimeSeconds, mtimeNanoseconds: 0 }
  }

  stamp(): BodyStamp {
    return { generation: this.generation, size: this.#file.data.length, mtime: { seconds: this.#file.mtimeSeconds, nanoseconds: 0 } }
  }

  isAt({ generation, size, mtime }: BodyStamp): boolean {
    const now = this.stamp()
    return now.generation === generation && now.size === size && now.mtime.seconds === mtime.seconds
  }

  state(): Uint8Array {
    const writer = new Writer()
    writer.varint(this.serial)
    for (const edge of this.writtenEdges) writer.varint(edge)
    return writer.finish()
  }

  sync(sync: SyncFile, done: (result: number) => void): void {
    this.syncCount += 1
    sync(this.serial, (result) => done(this.syncResult < 0 ? this.syncResult : result))
  }

  pin(): void {
    this.pinCount += 1
  }

  unpin(): void {
    this.pinCount -= 1
  }

  get #file(): DiskFile {
    return this.#disk.files.get(this.serial)!
  }
}

/**
 * Random operations on a small tree, by a seed: few names, so that they meet each other; all kinds of calls, also those that fail. A turn is what one
 * process does in one go.
 */
import { AT, FALLOC, MAP, MS, O, PROT, RENAME, type CallName, type Calls, type Step } from './posix-calls.ts'
import { makeStep } from './posix-client.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface Turn {
  readonly process: number
  readonly steps: readonly Step[]
}

export const processCount = 4

const directories = ['.', 'a', 'a/b', 'a/b/c', 'd', 'd/e']
const fileNames = ['f', 'g', 'h', 'i', 'j', 'kk', 'lll', 'ü', '\udcff', 'n'.repeat(255)]
const handles = ['x', 'y', 'z']
const xattrNames = ['user.one', 'user.two', 'trusted.three', 'security.four']
const modes = [0o644, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0o000, 0o2644]
/** Around pages, chunks (64 KiB to 1 MiB) and bodies that stand in the tree (4 KiB). */
const sizes = [0, 1, 100, 4095, 4096, 4097, 10_000, 65_536, 70_001, 131_072, 300_000, 1_048_577, 3_000_000]

export class Generator {
  readonly #random: SeededRandom
  #count = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** One to four calls of one process, and a look at what they were about. */
  turn(): Turn {
    const process = this.#below(processCount)
    const steps: Step[] = []
    const count = 1 + this.#below(4)
    for (let index = 0; index < count; index += 1) steps.push(...this.#operation())
    return { process, steps }
  }

  #below(limit: number): number {
    return this.#random.next() % limit
  }

  #of<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!
  }

  #directory(): string {
    return this.#of(directories)
  }

  #file(): string {
    return `${this.#directory()}/${this.#of(fileNames)}`
  }

  #path(): string {
    return this.#below(6) === 0 ? this.#directory() : this.#file()
  }

  /** Mostly small. */
  #size(): number {
    return this.#below(3) === 0 ? this.#of(sizes) : this.#below(20_000)
  }

  #data(): { fill: string; length: number } {
    this.#count += 1
    return { fill: String.fromCodePoint(33 + (this.#count % 90)), length: 1 + (this.#below(8) === 0 ? this.#below(400_000) : this.#below(6000)) }
  }

  #operation(): Step[] {
    const pick = this.#below(100)
    if (pick < 38) return this.#onHandle()
    if (pick < 70) return this.#onNames()
    if (pick < 84) return this.#onAttributes()
    if (pick < 90) return this.#mapping()
    return this.#looking()
  }

  #onHandle(): Step[] {
    const fd = this.#of(handles)
    const look = [step('fstat', fd)]
    switch (this.#below(13)) {
      case 0:
      case 1:
      case 2:
        return [step('close', fd), step('open', this.#file(), this.#openFlags(), this.#of(modes), fd), ...look]
      case 3:
        return [step('close', fd), step('open', this.#directory(), O.TMPFILE | O.RDWR, 0o640, fd), step('pwrite', fd, this.#data(), this.#size()), ...look]
      case 4:
        return [step('write', fd, this.#data()), ...look]
      case 5:
      case 6:
        return [step('pwrite', fd, this.#data(), this.#size()), ...look]
      case 7:
        return [step('pread', fd, 1 + this.#below(50_000), this.#size())]
      case 8:
        return [step('ftruncate', fd, this.#size()), ...look]
      case 9:
        return [step('fallocate', fd, this.#of(allocations), this.#size(), 1 + this.#size()), ...look]
      case 10:
        return [step('copyFileRange', fd, this.#size(), this.#of(handles), this.#size(), 1 + this.#size()), ...look]
      case 11:
        return [step(this.#below(2) === 0 ? 'fsync' : 'fdatasync', fd)]
      default:
        return [step('link', { at: fd, path: '' }, this.#file(), AT.EMPTY_PATH), step('close', fd)]
    }
  }

  #openFlags(): number {
    const access = this.#of([O.RDONLY, O.RDWR, O.RDWR, O.WRONLY])
    const flags = this.#of([access, access | O.CREAT, access | O.CREAT, access | O.CREAT | O.EXCL, access | O.CREAT | O.TRUNC, access | O.CREAT | O.APPEND, access | O.NOFOLLOW])
    // A fifo would wait for its other end.
    return flags | O.NONBLOCK
  }

  #onNames(): Step[] {
    const [path, other] = [this.#path(), this.#path()]
    const look = [step('lstat', path), step('lstat', other)]
    switch (this.#below(12)) {
      case 0:
      case 1:
        return [step('mkdir', this.#directory(), this.#of([0o755, 0o700, 0o2775])), step('mkdir', path, 0o755), ...look]
      case 2:
        return [step('rmdir', path), step('lstat', path)]
      case 3:
        return [step('unlink', path), step('lstat', path)]
      case 4:
      case 5:
      case 6:
        return [step('rename', path, other, this.#of([0, 0, 0, RENAME.NOREPLACE, RENAME.EXCHANGE])), ...look]
      case 7:
        return [step('link', path, other), ...look]
      case 8:
        return [step('symlink', this.#of(['f', '../f', 'nowhere', 'x'.repeat(300)]), path), step('readlink', path)]
      case 9:
        return [step('mknod', path, this.#of(['fifo', 'socket', 'char', 'block', 'regular'] as const), 0o640, 240, 300), step('lstat', path)]
      case 10:
        return [step('create', path, 0o644), step('lstat', path)]
      default:
        return [step('truncate', path, this.#size()), step('lstat', path)]
    }
  }

  #onAttributes(): Step[] {
    const path = this.#path()
    switch (this.#below(6)) {
      case 0:
        return [step('chmod', path, this.#of(modes)), step('lstat', path)]
      case 1:
        return [step('lchown', path, this.#of([0, 1000, 65_534]), this.#of([0, 1000, 4_000_000])), step('lstat', path)]
      case 2: {
        // All of the last century, so that what was set can be told from what happened.
        const time = (): readonly [number, number] => [this.#below(900_000_000), this.#below(1_000_000_000)]
        return [step('utimensat', path, time(), time(), AT.SYMLINK_NOFOLLOW), step('lstat', path)]
      }
      case 3:
      case 4:
        return [step('lsetxattr', path, this.#of(xattrNames), { fill: 'v', length: this.#of([0, 1, 100, 700]) }, this.#of([0, 0, 1, 2])), step('llistxattr', path)]
      default:
        return [step('lremovexattr', path, this.#of(xattrNames)), step('llistxattr', path)]
    }
  }

  /** Within one turn, so that nobody shortens the file under the mapping. */
  #mapping(): Step[] {
    const path = this.#file()
    const length = 4096 * (1 + this.#below(30))
    const at = this.#below(length - 100)
    const before = [step('close', 'm'), step('open', path, O.RDWR | O.CREAT, 0o644, 'm'), step('ftruncate', 'm', length + this.#below(5000))]
    const map = [step('mmap', 'm', 'm', length, PROT.READ | PROT.WRITE, this.#below(4) === 0 ? MAP.PRIVATE : MAP.SHARED), step('mapWrite', 'm', at, this.#short()), step('mapRead', 'm', 0, length)]
    const read = step('pread', 'm', length, 0)
    const sync = this.#below(2) === 0 ? [step('msync', 'm', MS.SYNC)] : []
    // A mapping outlives its descriptor.
    const end = this.#below(2) === 0 ? [read, step('munmap', 'm'), step('close', 'm')] : [step('close', 'm'), step('mapWrite', 'm', at + 1, this.#short()), step('munmap', 'm')]
    return [...before, ...map, ...sync, ...end, step('lstat', path)]
  }

  #short(): { fill: string; length: number } {
    return { fill: String.fromCodePoint(33 + this.#below(90)), length: 1 + this.#below(90) }
  }

  #looking(): Step[] {
    const path = this.#path()
    switch (this.#below(4)) {
      case 0:
        return [step('list', this.#directory())]
      case 1:
        return [step('llistxattr', path), step('lgetxattr', path, this.#of(xattrNames))]
      case 2:
        return [step('open', path, O.RDONLY | O.NONBLOCK, 0, 'r'), step('pread', 'r', 400_000, 0), step('close', 'r')]
      default:
        return [step('lstat', path), step('stat', path)]
    }
  }
}

const allocations = [0, FALLOC.KEEP_SIZE, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, FALLOC.ZERO_RANGE, FALLOC.ZERO_RANGE | FALLOC.KEEP_SIZE]

function step<Name extends CallName>(name: Name, ...parameters: Calls[Name]): Step {
  return makeStep(undefined, name, ...parameters)
}

/** A program that does whatever a program may do in a mount that has no kernel, by chance. What it is refused does not trouble it. */
import type { Handler, TimeChange } from '../../shim/fuse/handler.ts'
import { openFlag } from '../../shim/sys/constants.ts'
import { answered, caller, unchanged } from './handler-bed.ts'
import type { PublishingMount } from './publishing-mount.ts'
import type { SeededRandom } from './seeded-random.ts'
import { childNames } from './tree-lines.ts'

const names = ['a', 'b', 'c', 'ä', '\udc80\udcff', 'a.txt']
const rootNode = 1
const depthMax = 4

interface OpenFile {
  readonly node: number
  readonly handle: number
  readonly backingId: number
}

export class RandomProgram {
  readonly #mount: PublishingMount
  readonly #random: SeededRandom
  #open: OpenFile[] = []
  /** Directories that are looked up and not forgotten, as a kernel keeps them. */
  #held: number[] = []
  readonly log: string[] = []

  constructor(mount: PublishingMount, random: SeededRandom) {
    this.#mount = mount
    this.#random = random
  }

  below(count: number): number {
    return this.#random.next() % count
  }

  /** The process that served it has ended. */
  lose(): void {
    this.#open = []
    this.#held = []
  }

  get held(): readonly number[] {
    return this.#held
  }

  /** All directories on a way down are held from now on. */
  async hold(): Promise<void> {
    let node = rootNode
    for (;;) {
      const found = await this.#child(node, isDirectory)
      if (found === undefined) return
      this.#held.push(found)
      node = found
    }
  }

  /** Nothing is open, nothing held. */
  closeAll(): void {
    for (const file of this.#open.splice(0)) this.#release(file)
    for (const node of this.#held.splice(0)) this.#handler.forget(node, 1)
  }

  async step(): Promise<void> {
    const steps: readonly (readonly [weight: number, what: string, run: () => Promise<unknown>])[] = [
      [14, 'create', () => this.#create()],
      [6, 'mkdir', () => this.#at((node, name) => this.#made(this.#writable.mkdir(node, name, { mode: 0o755, umask: 0o022, rdev: 0 }, caller)))],
      [8, 'unlink', () => this.#at((node, name) => answered(this.#writable.unlink(node, name)))],
      [4, 'rmdir', () => this.#at((node, name) => answered(this.#writable.rmdir(node, name)))],
      [9, 'rename', () => this.#rename()],
      [5, 'link', () => this.#withFile((node) => this.#at((parent, name) => this.#made(this.#writable.link(node, parent, name))))],
      [2, 'symlink', () => this.#at((node, name) => this.#made(this.#writable.symlink(node, name, `to/${this.below(9)}`, caller)))],
      [2, 'mknod', () => this.#at((node, name) => this.#made(this.#writable.mknod(node, name, { mode: 0o010644, umask: 0, rdev: 0 }, caller)))],
      [5, 'chmod', () => this.#withAny((node) => answered(this.#writable.setattr(node, { ...unchanged, mode: this.below(0o1000) }, caller)))],
      [3, 'chown', () => this.#withAny((node) => answered(this.#writable.setattr(node, { ...unchanged, uid: this.below(9), gid: this.below(9) }, caller)))],
      [3, 'utimes', () => this.#withAny((node) => answered(this.#writable.setattr(node, { ...unchanged, mtime: this.#time(), atime: this.#time() }, caller)))],
      [4, 'truncate', () => this.#withFile((node) => answered(this.#writable.setattr(node, { ...unchanged, size: this.#size() }, caller)))],
      [4, 'setxattr', () => this.#withAny((node) => answered(this.#writable.setxattr(node, 'user.x', this.#random.bytes(this.below(40)), 0, false)))],
      [2, 'removexattr', () => this.#withAny((node) => answered(this.#writable.removexattr(node, 'user.x')))],
      [6, 'open', () => this.#at((directory) => this.#openIn(directory))],
      [12, 'write', () => this.#write()],
      [3, 'fallocate', () => this.#allocate()],
      [8, 'close', () => this.#close()],
    ]
    let at = this.below(steps.reduce((sum, [weight]) => sum + weight, 0))
    const [, what, run] = steps.find(([weight]) => (at -= weight) < 0)!
    this.log.push(what)
    await run()
  }

  get #handler(): Handler {
    return this.#mount.handler
  }

  get #writable(): NonNullable<Handler['writable']> {
    return this.#handler.writable!
  }

  #name(): string {
    return names[this.below(names.length)]!
  }

  #size(): number {
    return this.below(3) === 0 ? this.below(30_000) : this.below(200)
  }

  #time(): TimeChange {
    return { seconds: 1_500_000_000 + this.below(1000), nanoseconds: this.below(10) * 100 }
  }

  /** A directory somewhere, looked up for as long as `use` takes, and a name to use in it. */
  async #at(use: (node: number, name: string) => Promise<unknown>): Promise<void> {
    const held: number[] = []
    let node = rootNode
    while (this.below(3) !== 0 && held.length < depthMax) {
      const found = await this.#child(node, isDirectory)
      if (found === undefined) break
      held.push(found)
      node = found
    }
    await use(node, this.#name())
    for (const each of held.toReversed()) this.#handler.forget(each, 1)
  }

  async #child(node: number, wants: (mode: number) => boolean): Promise<number | undefined> {
    const listed = await childNames(this.#handler, node)
    const name = listed[this.below(Math.max(1, listed.length))]
    if (name === undefined) return undefined
    const reply = await answered(this.#handler.lookup(node, name, caller))
    if (typeof reply === 'number' || reply.nodeId === 0) throw new Error(`"${name}" is listed and not found: ${JSON.stringify(reply)}`)
    if (wants(reply.attributes.mode)) return reply.nodeId
    this.#handler.forget(reply.nodeId, 1)
    return undefined
  }

  async #withAny(use: (node: number) => Promise<unknown>, wants: (mode: number) => boolean = () => true): Promise<void> {
    await this.#at(async (directory) => {
      const node = await this.#child(directory, wants)
      if (node === undefined) return
      await use(node)
      this.#handler.forget(node, 1)
    })
  }

  async #withFile(use: (node: number) => Promise<unknown>): Promise<void> {
    await this.#withAny(use, (mode) => (mode & 0o170000) === 0o100000)
  }

  /** What was made is looked up by that; nobody holds it. */
  async #made(answer: ReturnType<NonNullable<Handler['writable']>['mkdir']>): Promise<void> {
    const reply = await answered(answer)
    if (typeof reply === 'object') this.#handler.forget(reply.nodeId, 1)
  }

  async #create(): Promise<void> {
    const flags = openFlag.O_RDWR | (this.below(2) === 0 ? openFlag.O_EXCL : 0) | (this.below(3) === 0 ? openFlag.O_TRUNC : 0)
    await this.#at(async (directory, name) => {
      const reply = await answered(this.#writable.create(directory, name, { mode: 0o666, umask: 0o022, rdev: 0 }, flags, caller))
      if (typeof reply === 'number') return
      const file = { node: reply.entry.nodeId, handle: reply.open.handle, backingId: reply.open.backingId }
      this.#open.push(file)
      await this.#writeTo(file)
      if (this.below(3) > 0) this.#release(this.#open.pop()!)
    })
  }

  /** The kernel holds the node for as long as it is open. */
  async #openIn(directory: number): Promise<void> {
    const node = await this.#child(directory, (mode) => (mode & 0o170000) === 0o100000)
    if (node === undefined) return
    const flags = openFlag.O_RDWR | (this.below(5) === 0 ? openFlag.O_TRUNC : 0)
    const reply = await answered(this.#handler.open(node, flags, caller))
    if (typeof reply === 'number') this.#handler.forget(node, 1)
    else this.#open.push({ node, handle: reply.handle, backingId: reply.backingId })
  }

  async #write(): Promise<void> {
    const file = this.#open[this.below(Math.max(1, this.#open.length))]
    if (file !== undefined) await this.#writeTo(file)
  }

  /** With a backing file the kernel writes by itself. */
  async #writeTo({ node, handle, backingId }: OpenFile): Promise<void> {
    const bytes = this.#random.bytes(this.#size()).slice()
    const offset = this.below(4) === 0 ? this.below(20_000) : 0
    if (backingId !== 0) this.#mount.writeBacking(backingId, offset, bytes)
    else await answered(this.#writable.write(node, handle, offset, bytes, { isFromCache: false, killsPrivileges: false, caller }))
  }

  async #allocate(): Promise<void> {
    const file = this.#open[this.below(Math.max(1, this.#open.length))]
    // Punch a hole, zeros, more room.
    const mode = [0o3, 0o20, 0o0][this.below(3)]!
    if (file !== undefined) await answered(this.#writable.fallocate(file.node, file.handle, this.below(9000), 1 + this.below(9000), mode))
  }

  #close(): Promise<void> {
    const [file] = this.#open.splice(this.below(Math.max(1, this.#open.length)), 1)
    if (file !== undefined) this.#release(file)
    return Promise.resolve()
  }

  #release({ node, handle }: OpenFile): void {
    this.#handler.flush(node, handle)
    this.#handler.release(node, handle)
    this.#handler.forget(node, 1)
  }

  async #rename(): Promise<void> {
    const flags = [0, 0, 0, 1, 2][this.below(5)]!
    await this.#at((from, name) => this.#at((to, toName) => answered(this.#writable.rename(from, name, to, toName, flags))))
  }
}

function isDirectory(mode: number): boolean {
  return (mode & 0o170000) === 0o040000
}

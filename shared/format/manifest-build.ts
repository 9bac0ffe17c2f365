/**
 * Building manifests run by run, in bounded memory.
 */
import { EdgemountError } from '../error.ts'
import { type HashFunction, webHash } from '../hash.ts'
import type { ManifestRoot, Pointer, Run } from './entry.ts'
import { inlineRunsMax, type ManifestChild } from './manifest-page.ts'
import { isChild, makeInlineRoot, makeManifestShape, type ManifestItem, type ManifestRules, manifestRules } from './manifest-shape.ts'
import { PageStack } from './page-stack.ts'

export interface ManifestIo {
  /** Keeps a page and says where. Called for a child before its parent. */
  store(page: Uint8Array): Promise<Pointer>
  /** SHA-256; WebCrypto's unless given. */
  readonly hash?: HashFunction | undefined
}

/** Cuts a sequence of runs into a manifest. Neighbouring holes become one, so that equal bodies have one form. */
export class ManifestBuilder {
  readonly #hash: HashFunction
  readonly #stack: PageStack<ManifestItem>
  #hole = 0
  #length = 0

  /** Any rules but the volume format's are for tests, which grow manifests of many levels from few runs with them. */
  constructor(io: ManifestIo, rules: ManifestRules = manifestRules) {
    this.#hash = io.hash ?? webHash
    this.#stack = new PageStack(makeManifestShape(this.#hash, rules), io)
  }

  /** Bytes of the file so far. */
  get length(): number {
    return this.#length
  }

  async add(run: Run): Promise<void> {
    checkRun(run)
    this.#count(run.length)
    if (run.kind === 'hole') {
      this.#hole += run.length
      return
    }
    await this.endHole()
    await this.#append(run)
  }

  /** The manifest. Nothing may be called after it. */
  async finish(): Promise<ManifestRoot> {
    await this.endHole()
    const runs = this.#stack.onlyLeafItems()?.filter((item): item is Run => !isChild(item))
    if (runs !== undefined && runs.length <= inlineRunsMax) return await makeInlineRoot(runs, this.#hash)
    const root = (await this.#stack.finish())?.item
    if (root === undefined || !isChild(root)) throw new EdgemountError('internal', 'Cannot write a manifest: its pages have no root')
    return { kind: 'page', pointer: root.pointer, contentId: root.contentId }
  }

  /** Lays down the hole that might have grown. For `replaceRuns`, where a page that follows is known not to begin with one. */
  async endHole(): Promise<void> {
    if (this.#hole === 0) return
    const length = this.#hole
    this.#hole = 0
    await this.#append({ kind: 'hole', length })
  }

  /** True when a page of this level can be passed on whole. For `replaceRuns`, as the next two. */
  isAligned(level: number): boolean {
    return this.#hole === 0 && this.#stack.isAligned(level)
  }

  async pass(level: number, child: ManifestChild): Promise<void> {
    this.#count(child.length)
    await this.#stack.pass(level, child)
  }

  opened(level: number, pointer: Pointer, bytes: Uint8Array): void {
    this.#stack.opened(level, pointer, bytes)
  }

  async #append(item: ManifestItem): Promise<void> {
    if (this.#stack.add(0, item)) await this.#stack.settle(0)
  }

  #count(length: number): void {
    this.#length += length
    if (!Number.isSafeInteger(this.#length)) {
      throw new EdgemountError('invalid', 'Cannot write a manifest: the file would be larger than 2^53 bytes')
    }
  }
}

function checkRun(run: Run): void {
  const isWhole = run.kind === 'hole' || run.pointer.length === run.length
  if (!Number.isSafeInteger(run.length) || run.length <= 0 || !isWhole) {
    throw new EdgemountError(
      'invalid',
      `Cannot put a ${run.kind} of ${run.length} bytes in a manifest: a run is longer than 0 and a chunk as long as its pointer says`,
    )
  }
}

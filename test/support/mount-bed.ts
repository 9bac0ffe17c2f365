/**
 * Real mounts of a volume in memory whose store fails when it is told to. Everything is in this process but the programs that look into
 * the mount: nothing here may touch it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type FaultPlan, faultStore } from '../../edge/store/fault.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Content } from '../../shared/format/entry.ts'
import type { LogFields, Logger } from '../../shared/log.ts'
import { systemRandom } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { startMount } from '../../shim/daemon/mount-daemon.ts'
import type { MountDaemon, StartMountOptions } from '../../shim/daemon/mount-options.ts'
import { findMount, readMountTable } from '../../shim/fuse/mount-table.ts'
import { unmount } from '../../shim/fuse/unmount.ts'
import { nodeHash } from '../../shim/sys/node-hash.ts'
import { type Output, run } from './run-program.ts'

export class MountBed {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'edgemount-mount-'))
  readonly cache = path.join(this.directory, 'cache')
  readonly store: ObjectStore
  readonly lines: string[] = []
  /** What the store does to the mount's calls; the tests' own calls are left alone. */
  plan: FaultPlan = () => undefined
  /** Keys that the mount read. */
  readonly gets: string[] = []
  readonly volume: Volume
  readonly #daemons = new Set<MountDaemon>()
  #mountCount = 0

  private constructor(store: ObjectStore, volume: Volume) {
    this.store = store
    this.volume = volume
  }

  static async make(store: ObjectStore = new MemoryStore()): Promise<MountBed> {
    const volume = await Volume.create({ store, clock: systemClock, random: systemRandom, hash: nodeHash }, { name: 'test' })
    return new MountBed(store, volume)
  }

  get mountPoint(): string {
    return this.mountPointOf(1)
  }

  mountPointOf(number: number): string {
    return path.join(this.directory, `mnt${number}`)
  }

  async mount(options: Partial<StartMountOptions> = {}): Promise<MountDaemon> {
    this.#mountCount += 1
    const { directory = this.mountPointOf(this.#mountCount) } = options
    mkdirSync(directory, { recursive: true })
    const plan: FaultPlan = (call) => {
      if (call.operation === 'get') this.gets.push(call.key)
      return this.plan(call)
    }
    const source = { store: faultStore(this.store, { clock: systemClock, plan }), label: 'memory:test' }
    const daemon = await startMount({ source, cacheDirectory: this.cache, pollMs: 100, freeBytesMin: 0, log: this.#logger(), ...options, directory })
    this.#daemons.add(daemon)
    return daemon
  }

  /** Unmounts and mounts again at the same place. */
  async remount(daemon: MountDaemon, options: Partial<StartMountOptions> = {}): Promise<MountDaemon> {
    await daemon.close()
    this.#daemons.delete(daemon)
    return this.mount({ ...options, directory: daemon.directory })
  }

  async commit(...operations: readonly Operation[]): Promise<void> {
    await this.volume.writer().commit(operations)
  }

  async content(bytes: Uint8Array): Promise<{ content: Content; size: number }> {
    const writer = this.volume.writer()
    const written = await writer.write([bytes])
    await writer.flush()
    return written
  }

  /** A program that looks into the mount; `{}` stands for the mount point. */
  sh(script: string, number = 1): Promise<Output> {
    return run('sh', '-c', script.replaceAll('{}', this.mountPointOf(number)))
  }

  async remove(): Promise<void> {
    this.plan = () => undefined
    for (const daemon of this.#daemons) await daemon.close().catch(() => undefined)
    for (;;) {
      const left = readMountTable().findLast((entry) => entry.mountPoint.startsWith(`${this.directory}/`))
      if (left === undefined) break
      await unmount(left.mountPoint, { isLazy: true })
    }
    rmSync(this.directory, { recursive: true, force: true })
  }

  isMounted(number = 1): boolean {
    return findMount(readMountTable(), this.mountPointOf(number)) !== undefined
  }

  #logger(): Logger {
    const keep = (message: string, fields: LogFields = {}): void => void this.lines.push(`${message} ${JSON.stringify(fields)}`)
    return { debug: () => undefined, info: keep, warn: keep, error: keep }
  }
}

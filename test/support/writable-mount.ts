/**
 * A new volume in a directory store, mounted read-write by a real `edgemount` process, for tests that let programs work in it. It can be unmounted and
 * mounted again, with the same cache or an empty one, and killed.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { edgemountOk, forceUnmount, Running } from './command.ts'

export class WritableMount {
  readonly directory: string
  /** Where it is mounted. */
  readonly folder: string
  readonly volume: string
  readonly env: Readonly<Record<string, string>>
  readonly #args: readonly string[]
  #process: Running | undefined
  #cacheCount = 0

  private constructor(directory: string, args: readonly string[]) {
    this.directory = directory
    this.folder = join(directory, 'mnt')
    this.volume = `dir:${join(directory, 'store')}/v`
    this.env = { XDG_RUNTIME_DIR: join(directory, 'run') }
    this.#args = args
  }

  /** `args` are further ones of `edgemount mount`. */
  static async create(name: string, args: readonly string[] = []): Promise<WritableMount> {
    const mount = new WritableMount(mkdtempSync(join(tmpdir(), `edgemount-${name}-`)), args)
    // Other users are to come to the mount.
    chmodSync(mount.directory, 0o755)
    mkdirSync(mount.folder)
    mkdirSync(join(mount.directory, 'run'), { mode: 0o700 })
    await edgemountOk(['create', mount.volume], { env: mount.env })
    await mount.start()
    return mount
  }

  get process(): Running {
    if (this.#process === undefined) throw new Error('It is not mounted')
    return this.#process
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  async start(): Promise<void> {
    const cache = join(this.directory, `cache${this.#cacheCount}`)
    this.#process = new Running(['mount', this.volume, this.folder, '--cache', cache, '--serve', 'off', ...this.#args], { env: this.env })
    await this.#process.mounted(this.folder)
  }

  /** Unmounts, which publishes everything, and mounts again. Throws when the end was not a clean one. */
  async remount(options: { readonly withEmptyCache: boolean }): Promise<void> {
    await this.stop()
    if (options.withEmptyCache) this.#cacheCount += 1
    await this.start()
  }

  async stop(): Promise<void> {
    await edgemountOk(['umount', this.folder], { env: this.env })
    const code = await this.process.stop()
    if (code !== 0) throw new Error(`The mount ended with ${code}:\n${this.process.output}`)
    this.#process = undefined
  }

  /** SIGKILL, and the dead mount is taken away. */
  async kill(): Promise<void> {
    await this.process.stop('SIGKILL')
    forceUnmount(this.folder)
    this.#process = undefined
  }

  /** Whatever state it is in. */
  async dispose(): Promise<void> {
    await this.#process?.stop('SIGTERM')
    forceUnmount(this.folder)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

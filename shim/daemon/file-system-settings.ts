/**
 * What the file system of a mount is started with: plain data, for it is sent to its thread.
 */

/** The snapshot that a file system begins with. */
export interface Base {
  readonly seq: number
  /** As `encodeRoot` gives it. */
  readonly root: Uint8Array
}

export interface WritingSettings {
  readonly durability: 'local' | 'cloud'
  readonly coherence: 'close-to-open' | 'strict'
  /** How much may wait to be published. */
  readonly dirtyBytesMax: number
}

/** The base is the newest snapshot; changes of an older one begin with that. */
export interface FileSystemSettings extends Base {
  readonly volumeId: string
  /** A snapshot that never changes. */
  readonly isFixed: boolean
  /** Taken in order until one is not in use by another mount. None: nothing is cached on disk. */
  readonly cacheDirectories: readonly string[]
  readonly cacheBytesMax: number
  readonly freeBytesMin: number
  /** Undefined: nothing can be changed. */
  readonly writing: WritingSettings | undefined
}

/**
 * INIT: what the kernel offers, what we want, and the answer, as one pure function.
 *
 * Reasons of each choice are beside it. A flag is answered only when the kernel offered it.
 */
import { connectionErrno } from '../../sys/constants.ts'
import { header, initAnswer, initRequest } from './layout.ts'

export const initFlag = {
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  WRITEBACK_CACHE: 1 << 16,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  EXPLICIT_INVAL_DATA: 1 << 25,
  HANDLE_KILLPRIV_V2: 1 << 28,
  SETXATTR_EXT: 1 << 29,
  INIT_EXT: 1 << 30,
} as const

/** Second word of flags; only with INIT_EXT. */
export const initFlag2 = { PASSTHROUGH: 1 << 5 } as const

/** Largest data of one READ or WRITE: 256 pages, the kernel's own limit (fs.fuse.max_pages_limit). */
export const transferBytesMax = 1 << 20

/** What the kernel says in INIT. */
export interface InitOffer {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flags: number
  readonly flags2: number
}

export interface InitWish {
  /** Let the kernel read backing files itself; needs CAP_SYS_ADMIN. It excludes a writeback cache. */
  readonly wantsPassthrough: boolean
  /** The cached data of a file is dropped only when we say so; otherwise also when its size or mtime changes. */
  readonly invalidatesExplicitly: boolean
  /** Of a writable mount that gets no passthrough: let the kernel gather small writes. It then keeps sizes and times itself. */
  readonly wantsWritebackCache?: boolean
}

export type InitPlan =
  /** Another major version was offered: answer with ours, and the kernel sends INIT again. */
  | { readonly kind: 'again' }
  | { readonly kind: 'refused'; readonly errno: number; readonly reason: string }
  | {
      readonly kind: 'accepted'
      readonly minor: number
      readonly maxReadahead: number
      readonly flags: number
      readonly flags2: number
      readonly maxStackDepth: number
      readonly canPassthrough: boolean
      readonly canIncrementEpoch: boolean
      readonly hasWritebackCache: boolean
      readonly hasLongSetxattr: boolean
    }

/** 7.31 is Linux 5.4: max_pages, explicit invalidation and cached symlinks are there since. */
const minorMin = 31
const minorKnown = 45
/** FUSE_NOTIFY_INC_EPOCH came with 7.44. */
const minorOfEpoch = 44

export function readInitOffer(words: Uint32Array, byteCount: number): InitOffer {
  // Kernels before 7.36 send 56 bytes, without the second word of flags.
  const hasFlags2 = byteCount > header.bytes + 16
  return {
    major: words[initRequest.major]!,
    minor: words[initRequest.minor]!,
    maxReadahead: words[initRequest.maxReadahead]!,
    flags: words[initRequest.flags]!,
    flags2: hasFlags2 ? words[initRequest.flags2]! : 0,
  }
}

export function planInit(offer: InitOffer, wish: InitWish, isWritable: boolean): InitPlan {
  if (offer.major > 7) return { kind: 'again' }
  if (offer.major < 7 || offer.minor < minorMin) {
    const reason = `the kernel speaks FUSE ${offer.major}.${offer.minor}, older than 7.${minorMin}`
    return { kind: 'refused', errno: connectionErrno.EPROTO, reason }
  }
  const hasExtension = (offer.flags & initFlag.INIT_EXT) !== 0
  const wanted2 = wish.wantsPassthrough && hasExtension ? initFlag2.PASSTHROUGH : 0
  const flags2 = (offer.flags2 & wanted2) >>> 0
  const canPassthrough = (flags2 & initFlag2.PASSTHROUGH) !== 0
  const wantsWriteback = isWritable && !canPassthrough && wish.wantsWritebackCache === true
  const flags = (offer.flags & wantedFlags(wish, isWritable, wantsWriteback)) >>> 0
  return {
    kind: 'accepted',
    minor: Math.min(offer.minor, minorKnown),
    maxReadahead: transferBytesMax, // the kernel takes the smaller of this and the bdi's, which mounting raises
    flags,
    flags2,
    // 1: backing files may not be on a stacked file system, and overlayfs can still be stacked on this mount.
    maxStackDepth: canPassthrough ? 1 : 0,
    canPassthrough,
    canIncrementEpoch: offer.minor >= minorOfEpoch,
    hasWritebackCache: (flags & initFlag.WRITEBACK_CACHE) !== 0,
    hasLongSetxattr: (flags & initFlag.SETXATTR_EXT) !== 0,
  }
}

/**
 * ASYNC_DIO is left out: with it the kernel waits for direct reads without taking any signal (wait_for_completion in fuse_direct_IO), so a
 * reader of data that does not come could not even be killed. POSIX_LOCKS and FLOCK_LOCKS too: the kernel then keeps locks itself, between
 * the programs of this machine, and needs no FLUSH to let go of them.
 */
function wantedFlags(wish: InitWish, isWritable: boolean, wantsWriteback: boolean): number {
  return (
    initFlag.ASYNC_READ |
    initFlag.ATOMIC_O_TRUNC |
    initFlag.BIG_WRITES |
    // Listings bring attributes when the reader asked for them before: `ls -l` of 5,000 names is 26 requests, not 5,000.
    initFlag.DO_READDIRPLUS |
    initFlag.READDIRPLUS_AUTO |
    initFlag.PARALLEL_DIROPS |
    initFlag.MAX_PAGES |
    initFlag.CACHE_SYMLINKS |
    // Without it every WRITE asks for security.capability, in passthrough too.
    initFlag.HANDLE_KILLPRIV_V2 |
    initFlag.SETXATTR_EXT |
    initFlag.INIT_EXT |
    // Access lists count in the kernel's permission checks; the umask comes to us, because a directory's default list replaces it.
    (isWritable ? initFlag.POSIX_ACL | initFlag.DONT_MASK : 0) |
    // The kernel takes no backing files on a mount that has it.
    (wantsWriteback ? initFlag.WRITEBACK_CACHE : 0) |
    (wish.invalidatesExplicitly ? initFlag.EXPLICIT_INVAL_DATA : initFlag.AUTO_INVAL_DATA)
  )
}

/** Writes struct fuse_init_out at word `at`; gives its length. */
export function writeInitAnswer(words: Uint32Array, at: number, plan: InitPlan): number {
  words.fill(0, at, at + initAnswer.bytes / 4)
  words[at + initAnswer.major] = 7
  if (plan.kind !== 'accepted') {
    words[at + initAnswer.minor] = minorKnown
    return initAnswer.bytes
  }
  words[at + initAnswer.minor] = plan.minor
  words[at + initAnswer.maxReadahead] = plan.maxReadahead
  words[at + initAnswer.flags] = plan.flags
  words[at + initAnswer.maxBackgroundAndCongestion] = 64 | (48 << 16)
  words[at + initAnswer.maxWrite] = transferBytesMax
  words[at + initAnswer.timeGranularity] = 1
  words[at + initAnswer.maxPagesAndMapAlignment] = transferBytesMax / 4096
  words[at + initAnswer.flags2] = plan.flags2
  words[at + initAnswer.maxStackDepth] = plan.maxStackDepth
  return initAnswer.bytes
}

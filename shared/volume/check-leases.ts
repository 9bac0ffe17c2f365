/**
 * Checks what lies beside the log and the packs: leases and peers. Nothing of the volume depends on them, but nobody can acquire a lease that cannot be read.
 */
import { throwIfAborted } from '../abort.ts'
import { codeOf } from '../error.ts'
import { type CheckRun, type Finding, findingOf } from './finding.ts'
import { leasePrefix, peerPrefix } from './keys.ts'
import { checkLeaseName, decodeLease } from './lease.ts'
import { checkPeerId, decodePeer } from './peer.ts'

const keysPerList = 1000
const readsAtOnce = 16

interface Kind {
  readonly prefix: string
  readonly what: string
  /** A peer that is garbage is not listed, and that is all. */
  readonly severity: Finding['severity']
  /** Throws for what is none. */
  readonly read: (name: string, bytes: Uint8Array) => unknown
}

const kinds: readonly Kind[] = [
  {
    prefix: leasePrefix,
    what: 'lease',
    severity: 'error',
    read: (name, bytes) => {
      checkLeaseName(name)
      return decodeLease(bytes)
    },
  },
  {
    prefix: peerPrefix,
    what: 'peer',
    severity: 'warning',
    read: (name, bytes) => {
      checkPeerId(name)
      return decodePeer(bytes)
    },
  },
]

export async function* checkLeases(run: CheckRun): AsyncGenerator<Finding> {
  for (const kind of kinds) yield* checkKind(run, kind)
}

async function* checkKind(run: CheckRun, kind: Kind): AsyncGenerator<Finding> {
  const { options, parts } = run
  for (let after: string | undefined; ; ) {
    throwIfAborted(options.signal)
    const keys = await listKeys(run, kind.prefix, after)
    for (let start = 0; start < keys.length; start += readsAtOnce) {
      const looks = keys.slice(start, start + readsAtOnce).map(async (key): Promise<Finding | undefined> => {
        try {
          const found = await parts.store.get(key, { signal: options.signal })
          if (found !== undefined) kind.read(key.slice(kind.prefix.length), await found.bytes())
          return undefined
        } catch (error) {
          return { ...findingOf(error, key, kind.what), severity: kind.severity }
        }
      })
      for (const finding of await Promise.all(looks)) if (finding !== undefined) yield finding
    }
    if (keys.length < keysPerList) return
    after = keys.at(-1)
  }
}

/** None where the store is an edge, which does not list them. */
async function listKeys({ parts, options }: CheckRun, prefix: string, after: string | undefined): Promise<string[]> {
  try {
    return (await parts.store.list(prefix, { after, limit: keysPerList, signal: options.signal })).map(({ key }) => key)
  } catch (error) {
    if (codeOf(error) === 'unsupported') return []
    throw error
  }
}

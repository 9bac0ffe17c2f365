/**
 * The layers of the project and who may import whom. Arrows point down only: a file imports files of its own folder, of a lower layer of its own area, or of
 * `shared/`. Two folders of one layer do not know each other.
 */
import type { Source } from './source.ts'

interface Layer {
  readonly area: 'shared' | 'edge' | 'browser' | 'shim'
  readonly rank: number
  /** Files of one layer may import each other only within the same group. */
  readonly group: string
}

const values = new Set(['abort', 'bytes', 'clock', 'content-type', 'errno', 'error', 'lifetime', 'log', 'metrics', 'name', 'path', 'random', 'range'].map((name) => `shared/${name}.ts`))
const identity = new Set(['codec', 'hash', 'chunker'].map((name) => `shared/${name}.ts`))

/** Interfaces that a caller declares where it lives and lower layers obey. They hold types alone and import only `shared/`, so they stand below everything. */
export const contracts = new Set(['shim/fs/backend.ts', 'shim/changes/publishing.ts'])

/** The one file of the shim that may start an edge in its process. */
export const edgeComposition = 'shim/command/edge-process.ts'

/** Where code may import a package. Everything else is for tests and tools. */
const packageHomes: readonly (readonly [name: RegExp, home: RegExp])[] = [
  [/^hono(\/|$)/, /^edge\//],
  [/^@hono\//, /^edge\//],
  [/^@aws-sdk\/|^@smithy\//, /^edge\/store\//],
  [/^@azure\//, /^edge\/store\//],
  [/^@cloudflare\//, /^edge\//],
  [/^koffi$/, /^shim\/sys\//],
  [/^fuse-native$/, /^shim\/fuse\//],
  [/^lmdb$/, /^shim\//],
  [/^idb-keyval$/, /^edge\/browser\//],
  [/^hyparquet$|^hyparquet-compressors\/|^fzstd$/, /^edge\/console\//],
  [/^#console$/, /^edge\/console-files\.ts$/],
  [/^#status-page$/, /^shim\/command\/status-web\.ts$/],
  [/^esbuild$/, /^edge\/bundle\.ts$/],
  [/^node:/, /^(edge(?!\/(browser|console)\/)|shim)\//],
]

const shimRanks: Readonly<Record<string, number>> = {
  sys: 0,
  fuse: 1,
  cache: 1,
  journal: 1,
  fetch: 2,
  bodies: 3,
  upload: 3,
  changes: 4,
  volume: 4,
  fs: 5,
  publish: 5,
  peer: 5,
  control: 5,
  'config.ts': 6,
  daemon: 7,
  command: 8,
  'program.ts': 9,
  'main.ts': 10,
}

/** undefined for a file that has no place in the layout. */
export function layerOf(path: string): Layer | undefined {
  const [area, second = '', ...deeper] = path.split('/')
  if (area === 'shared') return sharedLayer(path, second, deeper.length > 0)
  if (area === 'edge' && (second === 'browser' || second === 'console')) return browserLayer(second, deeper)
  if (area === 'edge') return edgeLayer(second, deeper.length > 0)
  if (area !== 'shim') return undefined
  if (contracts.has(path)) return { area, rank: 0, group: path }
  const rank = shimRanks[second]
  return rank === undefined ? undefined : { area, rank, group: second }
}

function sharedLayer(path: string, second: string, isInFolder: boolean): Layer | undefined {
  if (values.has(path)) return layer('shared', 0)
  // The values that a volume is made of: types, and no code that could depend on anything.
  if (path === 'shared/format/entry.ts') return layer('shared', 1)
  if (identity.has(path)) return layer('shared', 2)
  if (isInFolder && second === 'format') return layer('shared', 3)
  if (isInFolder && second === 'http') return { area: 'shared', rank: 1, group: second }
  if (path === 'shared/store.ts' || path === 'shared/passing-store.ts') return layer('shared', 4)
  if (isInFolder && second === 'fetch') return { area: 'shared', rank: 4, group: second }
  if (isInFolder && second === 'volume') return layer('shared', 5)
  return isInFolder && second === 'wire' ? layer('shared', 6) : undefined
}

/** What runs in pages and their workers. The rest of the edge has it as built files, never as imports. */
function browserLayer(second: string, deeper: readonly string[]): Layer | undefined {
  if (deeper.length === 0) return undefined
  if (second === 'console') return layer('browser', 2)
  return layer('browser', deeper[0] === 'service-worker' ? 1 : 0)
}

const edgeFolders: Readonly<Record<string, number>> = { store: 0, access: 1, events: 1, http: 1, upload: 1, zip: 1, routes: 2 }

function edgeLayer(second: string, isInFolder: boolean): Layer | undefined {
  if (isInFolder) return edgeFolders[second] === undefined ? undefined : layer('edge', edgeFolders[second])
  if (second === 'app.ts') return layer('edge', 3)
  return layer('edge', ['worker.ts', 'worker-s3.ts', 'worker-fetch.ts', 'deno.ts', 'node.ts', 'bundle.ts'].includes(second) ? 4 : 1)
}

function layer(area: Layer['area'], rank: number): Layer {
  return { area, rank, group: String(rank) }
}

/** What is wrong with a file's imports, a sentence each. */
export function importFaults({ path, imports }: Source): string[] {
  const own = layerOf(path)
  if (own === undefined) return [`${path}: has no layer; give it one in test/support/tidy/layers.ts, or another place`]
  return imports.flatMap((target) => {
    const fault = target.endsWith('.ts') ? fileFault(path, own, target) : packageFault(path, target)
    return fault === undefined ? [] : [`${path} → ${target}: ${fault}`]
  })
}

function fileFault(path: string, own: Layer, target: string): string | undefined {
  if (target.startsWith('test/')) return 'production code does not know the tests'
  const other = layerOf(target)
  if (other === undefined) return 'has no layer'
  if (contracts.has(path) && other.area !== 'shared') return 'a contract imports shared/ alone'
  if (other.area === 'shared' && own.area !== 'shared') {
    const isBelowVolumes = other.rank === 0
    return path.startsWith('shim/fuse/') && !isBelowVolumes ? 'the driver knows no volumes and no HTTP' : undefined
  }
  if (other.area !== own.area) {
    if (path === edgeComposition && other.area === 'edge') return undefined
    if (own.area === 'browser' || (other.area === 'browser' && own.area === 'edge')) return 'what runs in pages and the rest of the edge do not know each other'
    return own.area === 'shared' ? 'shared/ imports nothing above it' : `edge/ and shim/ meet only in ${edgeComposition}`
  }
  if (own.rank < other.rank) return 'the arrow points up'
  if (own.rank === other.rank && own.group !== other.group) return 'two folders of one layer do not know each other'
  return target.startsWith('shim/fuse/') && /^shim\/(fetch|upload|volume)\//.test(path) ? 'only fs/ and what composes it know the driver' : undefined
}

function packageFault(path: string, target: string): string | undefined {
  const home = packageHomes.find(([name]) => name.test(target))
  if (home === undefined) return 'this package has no home; name one in test/support/tidy/layers.ts'
  return home[1].test(path) ? undefined : `belongs to ${home[1].source}`
}

/** One cycle of imports, as the paths on it, or undefined. */
export function findCycle(sources: readonly Source[]): readonly string[] | undefined {
  const importsOf = new Map(sources.map((source) => [source.path, source.imports.filter((target) => target.endsWith('.ts'))]))
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    const start = trail.indexOf(path)
    if (start >= 0) return [...trail.slice(start), path]
    if (done.has(path)) return undefined
    for (const target of importsOf.get(path) ?? []) {
      const cycle = visit(target, [...trail, path])
      if (cycle !== undefined) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const path of importsOf.keys()) {
    const cycle = visit(path, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

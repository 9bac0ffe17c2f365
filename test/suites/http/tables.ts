/** All tables, by topic. */
import { nameRows, queryRows, refusedRows } from './addresses.ts'
import { conditionTables } from './conditions.ts'
import { expectRows, headerRows, hostRows, pipelineRows, smuggleRows, targetRows, unreadRows } from './connections.ts'
import { directoryRows, lookupRows, snapshotRows, symlinkRows } from './directories.ts'
import { headRows } from './head.ts'
import { oldRows } from './old-http.ts'
import { corsRows, methodRows } from './origins.ts'
import { codingRows, dispositionRows, tokenRows, typeRows } from './representations.ts'
import type { HttpRow } from './row.ts'
import { severalRangeRows } from './several-ranges.ts'
import { singleRangeRows, tinyFileRows } from './single-ranges.ts'
import { streamRows } from './streams.ts'

export const httpTables: readonly (readonly [topic: string, rows: readonly HttpRow[]])[] = [
  ['one range', singleRangeRows],
  ['empty and tiny files', tinyFileRows],
  ['several ranges', severalRangeRows],
  ['bodies of many chunks', streamRows],
  ...conditionTables,
  ['HEAD', headRows],
  ['HTTP/1.0', oldRows],
  ['pipelining and reuse', pipelineRows],
  ['Expect and bodies', expectRows],
  ['bodies that nobody reads', unreadRows],
  ['headers', headerRows],
  ['forms of the target', targetRows],
  ['Host', hostRows],
  ['smuggling and broken requests', smuggleRows],
  ['names', nameRows],
  ['addresses that are none', refusedRows],
  ['queries', queryRows],
  ['content types', typeRows],
  ['downloads', dispositionRows],
  ['below a token', tokenRows],
  ['codings', codingRows],
  ['CORS', corsRows],
  ['methods', methodRows],
  ['directories', directoryRows],
  ['lookups', lookupRows],
  ['symlinks', symlinkRows],
  ['snapshots', snapshotRows],
]

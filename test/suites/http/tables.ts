/** All tables, by topic. */
import { conditionTables } from './conditions.ts'
import type { HttpRow } from './row.ts'
import { severalRangeRows } from './several-ranges.ts'
import { singleRangeRows, tinyFileRows } from './single-ranges.ts'

export const httpTables: readonly (readonly [topic: string, rows: readonly HttpRow[]])[] = [
  ['one range', singleRangeRows],
  ['empty and tiny files', tinyFileRows],
  ['several ranges', severalRangeRows],
  ...conditionTables,
]

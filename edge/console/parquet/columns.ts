/**
 * The columns of a Parquet file as they are shown: their types, and of those whose rows are not shown why. Pure; used by `reader.ts`.
 */
import type { FileMetaData, SchemaTree } from 'hyparquet'

/** Wider than any window; what is beyond is not shown. */
export const columnsMax = 200

export interface ParquetColumn {
  readonly name: string
  readonly type: string
  /** `required`, `optional` or `repeated`. */
  readonly values: string
  readonly isNumber: boolean
  /** Why its rows are not shown, as what follows its name: `is compressed with LZO`. */
  readonly why?: string
}

/** Compressions that the reader has by itself, and those that are loaded for it (`compressions.ts`). */
const ownCodecs = new Set(['UNCOMPRESSED', 'SNAPPY'])
const loadedCodecs = new Set(['GZIP', 'BROTLI', 'ZSTD', 'LZ4', 'LZ4_RAW'])
/** What the reader does not know, or what a small file could make endless. */
const unreadTypes = new Set(['VARIANT', 'BSON', 'INTERVAL'])

/** The first columns of the root, each with its subtree of the schema. */
export function columnsOf({ row_groups: groups }: FileMetaData, trees: readonly SchemaTree[]): ParquetColumn[] {
  const whyOf = new Map<string, string>()
  for (const { columns } of groups) {
    for (const { meta_data, file_path } of columns) {
      const name = meta_data?.path_in_schema[0]
      if (name === undefined) continue
      if (meta_data?.codec === undefined) whyOf.set(name, 'is compressed in a way that is not known')
      else if (!ownCodecs.has(meta_data.codec) && !loadedCodecs.has(meta_data.codec)) whyOf.set(name, `is compressed with ${meta_data.codec}`)
      if (file_path) whyOf.set(name, 'is in another file')
    }
  }
  const isEncrypted = groups.some(({ columns }) => columns.some(({ meta_data }) => meta_data === undefined))
  return trees.slice(0, columnsMax).map((tree) => {
    const { element } = tree
    const unread = unreadTypeIn(tree)
    const why = isEncrypted ? 'is encrypted, or in a file with columns that are' : unread === undefined ? whyOf.get(element.name) : `is of the type ${unread}`
    return { name: element.name, type: typeName(tree), values: (element.repetition_type ?? 'REQUIRED').toLowerCase(), isNumber: isNumber(tree), ...(why !== undefined && { why }) }
  })
}

/** Whether the rows need `compressions.ts`. */
export function needsCompressions(groups: FileMetaData['row_groups']): boolean {
  return groups.some(({ columns }) => columns.some(({ meta_data }) => meta_data !== undefined && loadedCodecs.has(meta_data.codec)))
}

function typeName({ element: { type, logical_type, converted_type } }: SchemaTree): string {
  return [logical_type?.type ?? converted_type, type].filter((each) => each !== undefined).join(' · ') || 'group'
}

function isNumber({ element: { type, converted_type, logical_type } }: SchemaTree): boolean {
  const meaning = logical_type?.type ?? converted_type ?? ''
  return type !== undefined && (meaning === 'DECIMAL' || (/^(INT32|INT64|FLOAT|DOUBLE)$/.test(type) && !/TIME|DATE/.test(meaning)))
}

/** The depth of a schema is limited where the footer is read. */
function unreadTypeIn({ element: { converted_type, logical_type }, children }: SchemaTree): string | undefined {
  const meaning = logical_type?.type ?? converted_type
  if (meaning !== undefined && unreadTypes.has(meaning)) return meaning
  for (const child of children) {
    const found = unreadTypeIn(child)
    if (found !== undefined) return found
  }
  return undefined
}

/** `“a” is compressed with LZO, “b”, “c” and 2 more are of the type BSON`: names together that have the same reason. */
export function whyNotShown(columns: readonly Pick<ParquetColumn, 'name' | 'why'>[], shown: (name: string) => string): string {
  const byReason = Map.groupBy(columns.filter(({ why }) => why !== undefined), ({ why }) => why!)
  return [...byReason].map(([why, some]) => {
    const names = some.slice(0, 3).map(({ name }) => `“${shown(name)}”`)
    if (some.length > names.length) names.push(`${some.length - names.length} more`)
    const subject = names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
    return `${subject} ${names.length === 1 ? why : why.replace(/^is /, 'are ')}`
  }).join('; ')
}

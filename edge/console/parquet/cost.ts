/**
 * Which row groups some rows are in, and what reading them costs. Pure; used by `reader.ts` before anything is read.
 */
import type { FileMetaData } from 'hyparquet'

type Group = FileMetaData['row_groups'][number]

export interface RowRange {
  readonly rowStart: number
  readonly rowEnd: number
}

/** A page in an offset index: three numbers and their tags, as Thrift's compact protocol writes them. More than it has, so that pages are thought larger than they are. */
const pageLocationBytes = 20

/** The groups that these rows are in, and how many rows are before the first of them. */
export function groupsOfRows(groups: readonly Group[], { rowStart, rowEnd }: RowRange): { readonly groups: readonly Group[]; readonly rowsBefore: number } {
  const found: Group[] = []
  let rowsBefore = 0
  let at = 0
  for (const group of groups) {
    const end = at + Number(group.num_rows)
    if (end > rowStart && at < rowEnd && end > at) {
      if (found.length === 0) rowsBefore = at
      found.push(group)
    }
    at = end
  }
  return { groups: found, rowsBefore }
}

/** What these rows cost, about: of a column with an index its dictionary and a page, else all of it in each group that they are in. */
export function bytesOfRows({ row_groups }: Pick<FileMetaData, 'row_groups'>, range: RowRange, names?: ReadonlySet<string>): number {
  let bytes = 0
  for (const { columns, num_rows: groupRows } of groupsOfRows(row_groups, range).groups) {
    // Of a group that is wanted whole the reader takes no index.
    const isWhole = Number(groupRows) <= range.rowEnd - range.rowStart
    for (const { meta_data, offset_index_offset, offset_index_length = 0 } of columns) {
      if (meta_data === undefined || (names !== undefined && !names.has(meta_data.path_in_schema[0] ?? ''))) continue
      const whole = Number(meta_data.total_compressed_size)
      const dictionary = meta_data.dictionary_page_offset ? Math.max(0, Number(meta_data.data_page_offset - meta_data.dictionary_page_offset)) : 0
      const pageCount = isWhole || !offset_index_offset ? 1 : Math.max(1, Math.floor(offset_index_length / pageLocationBytes))
      bytes += pageCount === 1 ? whole : Math.min(whole, dictionary + Math.ceil((whole - dictionary) / pageCount)) + offset_index_length
    }
  }
  return bytes
}

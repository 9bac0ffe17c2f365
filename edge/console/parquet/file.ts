/**
 * A Parquet file as the console shows it: its columns, what some rows cost, and the rows as texts. All that hyparquet does happens here; `reader.ts` runs it apart from the
 * page.
 */
import { type FileMetaData, type SchemaTree, parquetReadObjects, parquetSchema } from 'hyparquet'
import type { AsyncBuffer } from '../../browser/lazy-file.ts'
import { EdgemountError, codeOf, messageOf } from '../../../shared/error.ts'
import { type ParquetColumn, columnsOf, needsCompressions } from './columns.ts'
import { type RowRange, bytesOfRows, groupsOfRows } from './cost.ts'
import { readFooter } from './footer.ts'
import { checkedPages } from './pages.ts'
import { shownBy } from './shown-value.ts'

export interface ParquetFacts {
  readonly rowCount: number
  readonly columnCount: number
  readonly groupCount: number
  /** The first ones. */
  readonly columns: readonly ParquetColumn[]
}

export class ParquetFile {
  readonly facts: ParquetFacts
  readonly #file: AsyncBuffer
  readonly #metadata: FileMetaData
  /** Of the columns whose rows are shown. */
  readonly #trees: readonly SchemaTree[]

  private constructor(file: AsyncBuffer, metadata: FileMetaData) {
    this.#file = file
    this.#metadata = metadata
    const trees = parquetSchema(metadata).children
    const columns = columnsOf(metadata, trees)
    this.#trees = trees.slice(0, columns.length).filter((_, index) => columns[index]!.why === undefined)
    this.facts = { rowCount: Number(metadata.num_rows), columnCount: trees.length, groupCount: metadata.row_groups.length, columns }
  }

  /** The file, or how long its footer is if that is more than `footerBytesMax`. */
  static async open(file: AsyncBuffer, footerBytesMax: number): Promise<ParquetFile | number> {
    const footer = await readFooter(file, footerBytesMax)
    return 'tooLongBytes' in footer ? footer.tooLongBytes : new ParquetFile(file, footer.metadata)
  }

  /** What `rows` reads, about. */
  bytesOf(range: RowRange): number {
    return bytesOfRows(this.#metadata, range, new Set(this.#trees.map(({ element }) => element.name)))
  }

  /** The cells of the columns that are shown, in their order. */
  async rows({ rowStart, rowEnd }: RowRange): Promise<string[][]> {
    const { groups, rowsBefore } = groupsOfRows(this.#metadata.row_groups, { rowStart, rowEnd })
    const names = [...new Set(this.#trees.map(({ element }) => element.name))]
    const known = new Set(names)
    const row_groups = groups.map((group) => ({ ...group, columns: group.columns.filter(({ meta_data }) => known.has(meta_data?.path_in_schema[0] ?? '')) }))
    // Only what is shown: a file may have a million columns besides.
    const metadata = { ...this.#metadata, schema: schemaOf(this.#metadata, this.#trees), row_groups }
    const range = { rowStart: rowStart - rowsBefore, rowEnd: rowEnd - rowsBefore }
    const flatNames = new Set(this.#trees.filter(({ children, element }) => children.length === 0 && element.repetition_type !== 'REPEATED').map(({ element }) => element.name))
    const file = checkedPages(this.#file, row_groups, { rowEnd: range.rowEnd, flatNames })
    const { compressors } = needsCompressions(row_groups) ? await import('./compressions.ts') : { compressors: {} }
    const rows = await parquetReadObjects({ file, metadata, columns: names, ...range, useOffsetIndex: true, compressors }).catch((error: unknown) => {
      if (error instanceof EdgemountError || codeOf(error) === 'aborted') throw error
      throw new EdgemountError('invalid', `Cannot read the rows: ${messageOf(error)}; download the file to look closer`, { cause: error })
    })
    const cells = this.#trees.map((tree) => [tree.element.name, shownBy(tree)] as const)
    return rows.map((row) => cells.map(([name, shown]) => shown(row[name])))
  }
}

/** A schema of these columns alone. Decimals are left as they are stored, but in texts: the reader would round them. */
function schemaOf({ schema: [root] }: FileMetaData, trees: readonly SchemaTree[]): FileMetaData['schema'] {
  const elements: FileMetaData['schema'] = []
  const add = ({ element, children }: SchemaTree): void => {
    elements.push(element)
    for (const child of children) add(child)
  }
  for (const tree of trees) {
    const { element } = tree
    if (element.converted_type !== 'DECIMAL' || element.type === 'BYTE_ARRAY') {
      add(tree)
      continue
    }
    const { converted_type: _, ...stored } = element
    elements.push(stored)
  }
  return [{ ...root!, num_children: trees.length }, ...elements]
}

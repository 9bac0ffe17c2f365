/** The first rows of comma-separated values, as a table. */
import { columnsMax, isNumberText, parseCsv } from '../csv.ts'
import { dataTable } from '../data-table.ts'
import { element } from '../element.ts'
import { formatBytes, formatCount, shownName } from '../format.ts'
import type { Preview } from '../preview.ts'
import { encodingOf } from '../text-encoding.ts'
import { firstBytes, noteOf } from './text.ts'

const rowsMax = 1000

export const csvPreview: Preview = {
  isFor: (type) => /^text\/(csv|tab-separated-values)/.test(type),
  show: async (host, { place, signal }) => {
    const { volume, info } = place
    const bytes = await volume.read(info.path, { start: 0, end: firstBytes }, { signal })
    const { decoder, note } = encodingOf(bytes, bytes.length >= info.size) ?? { decoder: new TextDecoder() }
    const text = decoder.decode(bytes, { stream: bytes.length < info.size })
    const { head, rows, isCut, isNarrowed } = parseCsv(text, { isWhole: bytes.length === info.size, rowsMax })
    const columns = head.map((name, index) => ({ name, isNumber: rows.length > 0 && rows.slice(0, 50).every((row) => isNumberText(row[index] ?? '')) }))
    const table = dataTable(`Rows of ${shownName(info.name)}`, columns)
    table.add(rows)
    const said = isCut ? `The first ${formatCount(rows.length, 'row', 'rows')}, of a file of ${formatBytes(info.size)}.` : `${formatCount(rows.length, 'row', 'rows')}.`
    const beside = isNarrowed ? ` Of longer ones the first ${columnsMax} cells: download the file for the rest.` : ''
    host.append(...noteOf(note), table.element, element('p', { class: 'quiet', role: 'status' }, said + beside))
  },
}

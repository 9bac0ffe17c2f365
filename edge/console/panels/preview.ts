/** What is in a file: the first panel of every file. Each kind of content has a module in `previews/`; what none of them knows is offered for download. */
import { contentTypeOf } from '../../../shared/content-type.ts'
import type { Panel } from '../panel.ts'
import { type Preview, noPreview } from '../preview.ts'
import { csvPreview } from '../previews/csv.ts'
import { imagePreview } from '../previews/image.ts'
import { jsonPreview } from '../previews/json.ts'
import { markdownPreview } from '../previews/markdown.ts'
import { mediaPreview } from '../previews/media.ts'
import { parquetPreview } from '../previews/parquet.ts'
import { pdfPreview } from '../previews/pdf.ts'
import { textPreview } from '../previews/text.ts'

const previews: readonly Preview[] = [markdownPreview, csvPreview, parquetPreview, pdfPreview, imagePreview, mediaPreview, jsonPreview, textPreview]

export const previewPanel: Panel = {
  id: 'preview',
  title: 'Preview',
  icon: 'file',
  isFor: ({ info }) => info.kind === 'file',
  show: async (host, context) => {
    const { info } = context.place
    if (info.size === 0) return noPreview(host, context, 'This file is empty.')
    const type = contentTypeOf(info.name)
    const preview = previews.find((each) => each.isFor(type, info)) ?? textPreview
    await preview.show(host, context)
  },
}

/** PDF: the browser's own viewer in a frame. Where it has none, that is said. */
import { element } from '../element.ts'
import { shownName } from '../format.ts'
import { type Preview, fileAddress, noPreview, requireFile } from '../preview.ts'

export const pdfPreview: Preview = {
  isFor: (type) => type === 'application/pdf',
  show: async (host, context) => {
    if (!navigator.pdfViewerEnabled) return noPreview(host, context, 'This browser has no viewer for PDF. Download the file, and open it in a program that has one.')
    // A frame would show what the edge says instead as it comes.
    await requireFile(context)
    host.append(element('iframe', { class: 'pdf', src: fileAddress(context), title: `${shownName(context.place.info.name)}, PDF` }))
  },
}

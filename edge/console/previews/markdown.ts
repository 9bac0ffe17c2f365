/** Markdown, shown as it is meant; its source is a button away. */
import { button, element } from '../element.ts'
import { parseMarkdown } from '../markdown.ts'
import { markdownElement } from '../markdown-view.ts'
import type { Preview } from '../preview.ts'
import { decodeText } from '../text-encoding.ts'
import { textPreview } from './text.ts'

/** Longer ones are books, and shown as text. */
const bytesMax = 1024 * 1024

export const markdownPreview: Preview = {
  isFor: (type, { size }) => type.startsWith('text/markdown') && size <= bytesMax,
  show: async (host, context) => {
    const { volume, info } = context.place
    const text = decodeText(await volume.read(info.path, {}, { signal: context.signal }))
    if (text === undefined) return await textPreview.show(host, context)
    const shown = element('div', {}, markdownElement(parseMarkdown(text), context))
    let isSource = false
    const swap = async (): Promise<void> => {
      isSource = !isSource
      toggle.setAttribute('aria-pressed', String(isSource))
      const wanted = isSource
      const made = element('div')
      if (wanted) await textPreview.show(made, context)
      else made.append(markdownElement(parseMarkdown(text), context))
      // It may have been pressed again meanwhile.
      if (wanted === isSource) shown.replaceChildren(made)
    }
    const toggle = button({ label: 'Source', icon: 'text', attributes: { 'aria-pressed': 'false' }, onClick: () => void swap().catch((error: unknown) => context.notices.fail(error)) })
    host.append(element('div', { class: 'preview-bar' }, toggle), shown)
  },
}

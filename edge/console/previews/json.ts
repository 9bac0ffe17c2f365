/** JSON, indented; the text as it is is a button away. What is no JSON, whatever its name says, is shown as text. */
import { button, element } from '../element.ts'
import { indentJson } from '../json-text.ts'
import type { Preview } from '../preview.ts'
import { textPreview } from './text.ts'

/** Longer ones are read a part at a time, as text. */
const bytesMax = 1024 * 1024
/** Indented, what a browser still scrolls well. */
const lengthMax = 8 * 1024 * 1024

export const jsonPreview: Preview = {
  isFor: (type, { size }) => type.includes('json') && size <= bytesMax,
  show: async (host, context) => {
    const { volume, info } = context.place
    const source = new TextDecoder().decode(await volume.read(info.path, {}, { signal: context.signal }))
    const indented = indentJson(source, lengthMax)
    if (indented === undefined || indented === source.trimEnd()) return await textPreview.show(host, context)
    const text = element('pre', { class: 'text', tabindex: 0, role: 'region', 'aria-label': `Content of ${info.name.toWellFormed()}` }, indented)
    let isSource = false
    const swap = (): void => {
      isSource = !isSource
      toggle.setAttribute('aria-pressed', String(isSource))
      text.textContent = isSource ? source : indented
    }
    const toggle = button({ label: 'As it is', icon: 'text', attributes: { 'aria-pressed': 'false' }, onClick: swap })
    host.append(element('div', { class: 'preview-bar' }, toggle), text)
  },
}

/** Text, a part at a time: read through the engine, and so verified. A file that turns out to be none is not shown. */
import { codeOf } from '../../../shared/error.ts'
import { button, element } from '../element.ts'
import { formatBytes } from '../format.ts'
import type { Context } from '../panel.ts'
import { type Preview, noPreview } from '../preview.ts'
import { encodingOf } from '../text-encoding.ts'

export const firstBytes = 256 * 1024
const moreBytes = 1024 * 1024
/** What a browser still scrolls well. */
const shownBytesMax = 8 * 1024 * 1024

export const textPreview: Preview = {
  isFor: (type) => /^text\/|json|yaml|toml|xml|javascript|mpegurl/.test(type),
  show: async (host, context) => {
    const { volume, info } = context.place
    const { signal } = context
    const first = await volume.read(info.path, { start: 0, end: firstBytes }, { signal })
    const encoding = encodingOf(first, first.length >= info.size)
    if (encoding === undefined) return noPreview(host, context, 'This file is not text, and there is no preview of its kind.')
    const text = element('pre', { class: 'text', tabindex: 0, role: 'region', 'aria-label': `Content of ${info.name.toWellFormed()}` })
    const { decoder, note } = encoding
    text.append(decoder.decode(first, { stream: true }))
    host.append(...noteOf(note), text)
    if (first.length < info.size) host.append(moreOf(text, context, first.length, decoder))
  },
}

/** Nothing of UTF-8. */
export function noteOf(note: string | undefined): readonly HTMLElement[] {
  return note === undefined ? [] : [element('p', { class: 'quiet note' }, note)]
}

/** The rest, as somebody asks for it. */
function moreOf(text: HTMLElement, { place, signal, notices }: Context, start: number, decoder: TextDecoder): HTMLElement {
  const { volume, info } = place
  let at = start
  const said = element('p', { role: 'status', class: 'quiet' })
  const describe = (): void => void (said.textContent = `The first ${formatBytes(at)} of ${formatBytes(info.size)} are shown.`)
  const read = async (): Promise<void> => {
    more.disabled = true
    try {
      const bytes = await volume.read(info.path, { start: at, end: at + moreBytes }, { signal })
      at += bytes.length
      text.append(decoder.decode(bytes, { stream: at < info.size }))
      describe()
      if (at >= info.size || at >= shownBytesMax) more.remove()
    } catch (error) {
      if (codeOf(error) !== 'aborted') notices.fail(error)
    }
    more.disabled = false
  }
  const more = button({ label: 'Show more', icon: 'down', onClick: () => void read() })
  describe()
  return element('div', { class: 'more' }, said, more)
}

/** Pictures, as the browser shows them. One that is made of markup, SVG, runs no script there. */
import { element } from '../element.ts'
import { type Preview, fileAddress, showWhyNot } from '../preview.ts'
import { shownName } from '../format.ts'

export const imagePreview: Preview = {
  isFor: (type) => type.startsWith('image/'),
  show: (host, context) => {
    const { info } = context.place
    const size = element('p', { class: 'quiet', role: 'status' })
    const picture = element('img', { class: 'image', src: fileAddress(context), alt: shownName(info.name), decoding: 'async' })
    picture.addEventListener('load', () => {
      size.textContent = picture.naturalWidth > 0 ? `${picture.naturalWidth} × ${picture.naturalHeight} pixels` : ''
    })
    picture.addEventListener('error', () => void showWhyNot(host, context, 'This browser cannot show the picture: it does not know the format, or the file is damaged.'))
    host.append(element('figure', { class: 'stage' }, picture), size)
  },
}

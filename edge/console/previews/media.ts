/** Sound and moving pictures: the browser's own player, which reads the ranges that it plays. */
import { element } from '../element.ts'
import { shownName } from '../format.ts'
import { type Preview, fileAddress, showWhyNot } from '../preview.ts'

export const mediaPreview: Preview = {
  isFor: (type) => /^(audio|video)\//.test(type),
  show: (host, context) => {
    const { info } = context.place
    const isVideo = /\.(mp4|m4v|webm|ogv|mkv|mov|m2ts|mts|m4s|cmfv)$/i.test(info.name)
    const attributes = { controls: true, preload: 'metadata', src: fileAddress(context), 'aria-label': shownName(info.name), class: isVideo ? 'video' : 'audio', playsinline: true }
    const player = isVideo ? element('video', attributes) : element('audio', attributes)
    player.addEventListener('error', () => void showWhyNot(host, context, 'This browser cannot play the file: it does not know the format, or the file is damaged.'))
    // A player that is not in the page any more would go on reading.
    context.signal.addEventListener('abort', () => {
      player.pause()
      player.removeAttribute('src')
      player.load()
    })
    host.append(element('div', { class: 'stage' }, player))
  },
}

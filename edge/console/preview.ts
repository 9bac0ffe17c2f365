/**
 * What a preview is, and what stands where there is none. The modules in `previews/` are listed by `panels/preview.ts`.
 */
import type { FileInfo } from '../browser/volume.ts'
import { element, icon } from './element.ts'
import type { Context } from './panel.ts'

export interface Preview {
  /** By the type that the name says. */
  readonly isFor: (type: string, info: FileInfo) => boolean
  readonly show: (host: HTMLElement, context: Context) => void | Promise<void>
}

/** A sentence that says why, and the download. */
export function noPreview(host: HTMLElement, context: Context, why: string): void {
  host.append(element('div', { class: 'no-preview' }, icon('file'), element('p', {}, why), downloadLink(context)))
}

export function downloadLink({ session, place }: Context): HTMLAnchorElement {
  const href = `${session.fileUrl(place.volumeName, place.info.path, place.seq)}?download`
  return element('a', { class: 'button', href, download: true }, icon('download'), element('span', {}, 'Download'))
}

/** The address that the browser itself reads the file at. */
export function fileAddress({ session, place }: Context): string {
  return session.fileUrl(place.volumeName, place.info.path, place.seq)
}

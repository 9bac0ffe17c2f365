/**
 * What a preview is, and what stands where there is none. The modules in `previews/` are listed by `panels/preview.ts`.
 */
import type { FileInfo } from '../browser/volume.ts'
import { element, icon } from './element.ts'
import { toldOf } from './notices.ts'
import type { Context } from './panel.ts'
import { routes } from '../../shared/wire/routes.ts'

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

/** After the browser gave up: what the edge says, if it is the one that does not give the file, else `otherwise`. */
export async function showWhyNot(host: HTMLElement, context: Context, otherwise: string): Promise<void> {
  if (context.signal.aborted) return
  let why = otherwise
  try {
    await requireFile(context)
  } catch (error) {
    why = toldOf(error)
  }
  if (context.signal.aborted) return
  host.replaceChildren()
  noPreview(host, context, why)
}

/** Throws what the edge says, if it does not give the file. */
export async function requireFile({ session, place, signal }: Context): Promise<void> {
  const response = await session.send(routes.file(place.volumeName, place.info.path, place.seq), { headers: { range: 'bytes=0-0' }, signal })
  await response.body?.cancel()
}

/** The address that the browser itself reads the file at. */
export function fileAddress({ session, place }: Context): string {
  return session.fileUrl(place.volumeName, place.info.path, place.seq)
}

/** The volumes of the edge: what the console shows first. Called by `shell.ts`. */
import { formatAddress, volumesAddress } from './address.ts'
import { button, element, icon } from './element.ts'
import type { Notices } from './notices.ts'
import type { Session } from './session.ts'

/** Rejects when they cannot be listed. */
export async function showVolumes(host: HTMLElement, session: Session, notices: Notices, signal: AbortSignal): Promise<void> {
  const first = await session.volumes(undefined, signal)
  const list = element('ul', { class: 'volumes' })
  const add = (names: readonly string[]): void => {
    for (const name of names) {
      const href = formatAddress({ ...volumesAddress, volume: name, path: session.prefix }, true)
      list.append(element('li', {}, element('a', { href }, icon('volume'), element('span', { class: 'name' }, name))))
    }
  }
  add(first.names)
  host.append(element('h1', { tabindex: -1 }, 'Volumes'))
  if (first.names.length === 0) {
    host.append(element('p', { class: 'empty' }, 'There is no volume yet. Make one with '), element('code', {}, 'edgemount create'), ', or import a folder with ', element('code', {}, 'edgemount import'), '.')
    return
  }
  host.append(list)
  if (first.isLast) return
  let after = first.names.at(-1)
  const more = button({ label: 'More volumes', icon: 'down', onClick: () => void next().catch((error: unknown) => notices.fail(error)) })
  const next = async (): Promise<void> => {
    const page = await session.volumes(after, signal)
    add(page.names)
    after = page.names.at(-1)
    if (page.isLast) more.remove()
  }
  host.append(element('div', { class: 'more' }, more))
}

/** The volumes of the edge: what the console shows first. Called by `shell.ts`. */
import { formatAddress, volumesAddress } from './address.ts'
import { button, element, icon } from './element.ts'
import { tokenForm } from './error-view.ts'
import { type Notices, sentenceOf } from './notices.ts'
import type { Session } from './session.ts'

/** Rejects when they cannot be listed. */
export async function showVolumes(host: HTMLElement, session: Session, notices: Notices, signal: AbortSignal): Promise<void> {
  if (session.refusal !== undefined) return showDoor(host, session, session.refusal)
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
  const more = button({ label: 'More volumes', icon: 'down', onClick: () => void next().catch((error: unknown) => notices.fail(error)).finally(() => (more.disabled = false)) })
  const next = async (): Promise<void> => {
    more.disabled = true
    const page = await session.volumes(after, signal)
    add(page.names)
    after = page.names.at(-1) ?? after
    if (page.isLast || page.names.length === 0) more.remove()
  }
  host.append(element('div', { class: 'more' }, more))
}

/** What stands there for who has no token where one is needed: a place for one, and for the name of a volume that needs none. */
function showDoor(host: HTMLElement, session: Session, why: string): void {
  const input = element('input', { id: 'public-volume', required: true, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' })
  const form = element('form', { class: 'token-form' }, element('label', { for: 'public-volume' }, 'Public volume'), input, element('button', { type: 'submit', class: 'button' }, 'Show'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    location.hash = `#/${encodeURIComponent(input.value.trim())}/`
  })
  // What the title says already is not said again.
  const more = !why.endsWith(': a token is needed') && element('p', { role: 'alert' }, sentenceOf(why))
  host.append(
    element('div', { class: 'door' }, element('h1', { tabindex: -1 }, 'A token is needed'), more, tokenForm(session, false), element('p', {}, 'A volume that is public needs none to be looked at: its address has its name, or write it here.'), form),
  )
}

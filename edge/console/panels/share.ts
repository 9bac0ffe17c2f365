/** An address to give away: signed, for a while, of this file or folder alone. Where the edge has no secret the plain address is all there is, and open. */
import { rootPath } from '../../../shared/path.ts'
import { routes } from '../../../shared/wire/routes.ts'
import { formatAddress, volumesAddress } from '../address.ts'
import { button, element, fill } from '../element.ts'
import { formatTime } from '../format.ts'
import { share } from '../history-api.ts'
import { toldOf } from '../notices.ts'
import type { Context, Panel } from '../panel.ts'

const hour = 3600
const day = 24 * hour
const spans: readonly (readonly [string, number])[] = [['an hour', hour], ['a day', day], ['a week', 7 * day], ['a month', 30 * day], ['a year', 365 * day]]

export const sharePanel: Panel = {
  id: 'share',
  title: 'Share',
  icon: 'share',
  isFor: ({ info }, session) => session.may('read') && (info.kind === 'file' || info.kind === 'directory'),
  show: (host, context) => (context.session.token === undefined ? showPlain(host, context) : showForm(host, context)),
}

/** Without a token everybody who comes here sees this, and nobody signs anything. */
function showPlain(host: HTMLElement, context: Context): void {
  const { session, place } = context
  const isFolder = place.info.kind === 'directory'
  const url = isFolder ? location.href : session.fileUrl(place.volumeName, place.info.path, place.seq)
  host.append(
    element('p', {}, 'You came without a token, so there is nothing to sign with: this edge has no secret, or the volume is public. Whoever reaches the edge may open the plain address.'),
    addressField('Address', url, context),
    element('p', { class: 'quiet' }, 'An edge with a secret (EDGEMOUNT_SECRETS) makes addresses that end by themselves and open nothing else.'),
  )
}

function showForm(host: HTMLElement, context: Context): void {
  const { session, place } = context
  const isFolder = place.info.kind === 'directory'
  const pick = element('select', { id: 'span', name: 'span' }, ...spans.map(([text, seconds]) => element('option', { value: seconds, selected: seconds === 7 * day }, text)))
  const result = element('div', { class: 'share-result', 'aria-live': 'polite' })
  const what = isFolder ? 'this folder and what is in it, as it is at any time' : place.seq === undefined ? 'this file, as it is at any time' : `this file as commit ${place.seq} left it`
  const end = session.claims === undefined ? '' : ` No longer than your own token, which ends ${formatTime(new Date(session.claims.expiry * 1000))}.`
  const form = element(
    'form',
    { class: 'share-form' },
    element('p', {}, `Whoever has the address may read ${what}, and nothing else.${end}`),
    element('div', { class: 'field' }, element('label', { for: 'span' }, 'Good for'), pick, element('button', { type: 'submit', class: 'button button-primary' }, 'Make an address')),
  )
  if (isFolder && place.seq !== undefined) return fill(host, element('p', {}, 'A folder can be shared as it is now, not as an older commit left it: share a file of it, or go to what is there now.'))
  if (isFolder && !session.may('list')) return fill(host, element('p', {}, 'Your token does not allow to see the names in this folder, so it cannot allow others to.'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void make(result, context, Number(pick.value))
  })
  host.append(form, result)
}

async function make(result: HTMLElement, context: Context, seconds: number): Promise<void> {
  const { session, place } = context
  try {
    const { url, token, id, expires, path } = await share(session, place.volumeName, place.info.path, { seconds, ...(place.seq === undefined ? {} : { seq: place.seq }) })
    const root = session.base.replace(/t\/[^/]+\/$/, '')
    const isFolder = place.info.kind === 'directory'
    // A folder is opened here, with what its token allows.
    const address = isFolder ? `${root}t/${token}/${formatAddress({ ...volumesAddress, volume: place.volumeName, path }, true)}` : `${root}${url.slice(1)}`
    const plain = isFolder ? addressField('For programs: a listing with links', `${root}t/${token}${routes.file(place.volumeName, path)}${path === rootPath ? '' : '/'}`, context) : undefined
    fill(result, addressField('Address', address, context), plain, element('p', { class: 'quiet' }, `It ends ${formatTime(new Date(expires))}. To end it sooner, revoke its token: edgemount token revoke with the id ${id}.`))
  } catch (error) {
    fill(result, element('p', { role: 'alert' }, toldOf(error)))
  }
}

let fields = 0

function addressField(label: string, url: string, { notices }: Context): HTMLElement {
  fields += 1
  const input = element('input', { id: `address-${fields}`, readonly: true, value: url, spellcheck: 'false', onfocus: () => input.select() })
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(url)
      notices.tell('The address is copied.')
    } catch {
      input.focus()
      input.select()
      notices.tell('The browser does not let pages copy here: the address is selected, copy it with the keyboard.')
    }
  }
  return element('div', { class: 'field' }, element('label', { for: `address-${fields}` }, label), input, button({ label: 'Copy', onClick: () => void copy() }))
}

/**
 * What stands where something could not be shown: the sentence of the error, and what can be done about it.
 */
import type { ErrorCode } from '../../shared/error.ts'
import { codeOf } from '../../shared/error.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { type Child, button, element, icon } from './element.ts'
import { toldOf } from './notices.ts'
import type { Session } from './session.ts'

const titles: Readonly<Partial<Record<ErrorCode, string>>> = {
  'not-found': 'There is nothing here',
  denied: 'You may not see this',
  unavailable: 'The edge is away',
  corrupt: 'What is stored is damaged',
  exhausted: 'Too much at once',
  invalid: 'This cannot be shown',
  unsupported: 'This cannot be done here',
}

/** What can be done where the edge's own words do not say it. */
const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  unavailable: 'What was read before opens without it.',
  corrupt: 'Other files are not touched by it. Whoever runs the edge learns more from its log and from edgemount fsck.',
}

export interface Elsewhere {
  readonly href: string
  readonly title: string
}

export interface ErrorOptions {
  readonly session: Session
  readonly onRetry: () => void
  /** Where else to go: what is there now, the directory above, the volumes. */
  readonly elsewhere: readonly Elsewhere[]
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export function errorView(error: unknown, { session, onRetry, elsewhere, nowMs }: ErrorOptions): HTMLElement {
  const code = codeOf(error)
  const expiredMs = session.claims === undefined ? Infinity : session.claims.expiry * 1000
  const isExpired = expiredMs <= nowMs
  const denied = isExpired ? 'The token has expired' : session.token === undefined ? 'A token is needed' : titles[code]
  const title = (code === 'denied' ? denied : titles[code]) ?? 'This did not work'
  const said = toldOf(error)
  const links: Child[] = [button({ label: 'Try again', onClick: onRetry, class: 'button-primary' })]
  for (const { href, title: text } of elsewhere) links.push(element('a', { class: 'button', href }, text))
  const advice = hints[code]
  const hint = code === 'denied' ? tokenForm(session, isExpired) : advice !== undefined && element('p', {}, advice)
  return element('div', { class: 'error-view' }, icon('warning'), element('h1', { tabindex: -1 }, title), element('p', { role: 'alert' }, said), hint, element('div', { class: 'buttons' }, ...links), element('p', { class: 'quiet waiting' }))
}

/** How long it is until it is tried again by itself; seen, and not read out each second. */
export function sayWaiting(view: Element, secondsLeft: number): void {
  const host = view.querySelector('.waiting')
  if (host !== null) host.textContent = secondsLeft === 0 ? 'Looking whether it is back…' : `It is tried again by itself in ${secondsLeft} s.`
}

/** Leads to the same place with another token, which goes into the address and nowhere else. */
export function tokenForm(session: Session, isExpired: boolean): HTMLElement {
  const input = element('input', { id: 'token', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: 'em1.…' })
  const form = element('form', { class: 'token-form' }, element('label', { for: 'token' }, 'Token'), input, element('button', { type: 'submit', class: 'button' }, 'Open'))
  const said = element('p', { role: 'alert', class: 'token-refused' })
  const go = async (): Promise<void> => {
    const root = session.token === undefined ? session.base : session.base.replace(/t\/[^/]+\/$/, '')
    const base = `${root}t/${encodeURIComponent(input.value.trim())}/`
    said.textContent = ''
    const why = await refusalOf(base)
    if (why === undefined) return location.assign(`${base}${location.hash}`)
    said.textContent = why
    input.select()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void go()
  })
  const text = isExpired
    ? ['Ask for a new one where you got it, and paste it here.']
    : ['With a token that allows it, this opens. Whoever runs the edge makes one with ', element('code', {}, 'edgemount token create'), '.']
  return element('div', {}, element('p', {}, ...text), form, said)
}

/** What the edge says of a token that does not count; whatever else is in the way, the page itself tells. */
async function refusalOf(base: string): Promise<string | undefined> {
  try {
    const response = await fetch(base, { headers: { accept: 'text/plain' } })
    const answer: unknown = response.status === 401 ? await response.json() : undefined
    if (answer === undefined) return undefined
    const said = fieldOf(fieldOf(answer, 'error'), 'message')
    return typeof said === 'string' ? `${said}.` : undefined
  } catch {
    return undefined
  }
}

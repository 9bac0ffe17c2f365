/**
 * What stands where something could not be shown: the sentence of the error, and what can be done about it.
 */
import type { ErrorCode } from '../../shared/error.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { type Child, button, element, icon } from './element.ts'
import { sentenceOf } from './notices.ts'
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

export interface ErrorOptions {
  readonly session: Session
  readonly onRetry: () => void
  /** Where else to go: the directory above, or the volumes. */
  readonly elsewhere?: { readonly href: string; readonly title: string } | undefined
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export function errorView(error: unknown, { session, onRetry, elsewhere, nowMs }: ErrorOptions): HTMLElement {
  const code = codeOf(error)
  const expiredMs = session.claims === undefined ? Infinity : session.claims.expiry * 1000
  const isExpired = expiredMs <= nowMs
  const title = isExpired && code === 'denied' ? 'The token has expired' : (titles[code] ?? 'This did not work')
  const said = error instanceof EdgemountError ? sentenceOf(error) : `${sentenceOf(error)} This is a fault of the console; load the page again.`
  const links: Child[] = [button({ label: 'Try again', onClick: onRetry, class: 'button-primary' })]
  if (elsewhere !== undefined) links.push(element('a', { class: 'button', href: elsewhere.href }, elsewhere.title))
  const hint = code === 'denied' ? tokenForm(session, isExpired) : undefined
  return element('div', { class: 'error-view' }, icon('warning'), element('h1', { tabindex: -1 }, title), element('p', { role: 'alert' }, said), hint, element('div', { class: 'buttons' }, ...links))
}

/** Leads to the same place with another token, which goes into the address and nowhere else. */
export function tokenForm(session: Session, isExpired: boolean): HTMLElement {
  const input = element('input', { id: 'token', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: 'em1.…' })
  const form = element('form', { class: 'token-form' }, element('label', { for: 'token' }, 'Token'), input, element('button', { type: 'submit', class: 'button' }, 'Open'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const root = session.token === undefined ? session.base : session.base.replace(/t\/[^/]+\/$/, '')
    location.assign(`${root}t/${encodeURIComponent(input.value.trim())}/${location.hash}`)
  })
  const text = isExpired ? 'Ask for a new one where you got it, and paste it here.' : 'With a token that allows it, this opens. Whoever runs the edge makes one with edgemount token create.'
  return element('div', {}, element('p', {}, text), form)
}

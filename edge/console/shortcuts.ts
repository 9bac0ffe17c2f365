/**
 * Single keys that do what a button does, and the list of them under `?`. They can be switched off, for who speaks to the browser (WCAG 2.1.4). Called by `shell.ts`.
 */
import { showDialog } from './dialog.ts'
import { element } from './element.ts'
import { hasShortcuts, setShortcuts } from './preferences.ts'

export interface ShortcutActions {
  readonly up: () => void
  readonly theme: () => void
}

const rows: readonly (readonly [keys: string, what: string])[] = [
  ['?', 'Show this list'],
  ['/', 'Filter the names of a folder'],
  ['↓ ↑ PgDn PgUp Home End', 'Move among the names'],
  ['Enter', 'Open the name'],
  ['Shift F10', 'Actions for the name'],
  ['F2', 'Rename the name, or what is shown'],
  ['Delete', 'Delete the name, or what is shown'],
  ['u', 'Go up a folder'],
  ['d', 'Download what is shown, a folder as zip'],
  ['[ ]', 'Previous and next view'],
  ['t', 'Light or dark'],
]

export function listenForShortcuts(actions: ShortcutActions): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]') !== null) return
    if (event.key !== 'F2' && event.key !== 'Delete' && !hasShortcuts()) return
    const run = keys(actions)[event.key]
    if (run === undefined) return
    event.preventDefault()
    run()
  })
}

function keys({ up, theme }: ShortcutActions): Readonly<Partial<Record<string, () => void>>> {
  const press = (name: string) => (): void => document.querySelector<HTMLElement>(`main [data-shortcut="${name}"]`)?.click()
  return {
    '?': showShortcuts,
    '/': () => document.querySelector<HTMLInputElement>('[data-shortcut="filter"]')?.focus(),
    u: up,
    t: theme,
    d: press('download'),
    F2: press('rename'),
    Delete: press('delete'),
    '[': () => step(-1),
    ']': () => step(1),
  }
}

function step(by: number): void {
  const tabs = [...document.querySelectorAll<HTMLElement>('[data-tab]')]
  const at = tabs.findIndex((tab) => tab.hasAttribute('aria-current'))
  if (at >= 0) tabs.at((at + by + tabs.length) % tabs.length)?.click()
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, video, audio, [contenteditable]') !== null
}

export function showShortcuts(): void {
  const table = element('table', { class: 'shortcuts' }, element('caption', { class: 'hidden' }, 'Keys and what they do'))
  const body = element('tbody')
  for (const [names, what] of rows) {
    const shown = names.split(' ').map((name) => element('kbd', {}, name))
    body.append(element('tr', {}, element('th', { scope: 'row' }, ...shown), element('td', {}, what)))
  }
  table.append(body)
  const box = element('input', { type: 'checkbox', id: 'single-keys', checked: hasShortcuts(), onchange: () => setShortcuts(box.checked) })
  const close = element('button', { type: 'submit', class: 'button button-primary' }, 'Close')
  const form = element('form', { method: 'dialog' }, table, element('p', { class: 'check' }, box, element('label', { for: 'single-keys' }, 'Single keys do something')), element('div', { class: 'dialog-buttons' }, close))
  showDialog('Keyboard', [form])
}

/**
 * One place of a volume: the way to it, its name, what can be done with it, and its panels as tabs. Called by `shell.ts`; which panels there are, `panels.ts` says.
 */
import { baseName, isWithin, rootPath, splitPath } from '../../shared/path.ts'
import { type Action, actionsFor } from './actions.ts'
import { formatAddress } from './address.ts'
import { type Child, button, element, icon } from './element.ts'
import { tokenForm } from './error-view.ts'
import { formatBytes, formatTime, shownName } from './format.ts'
import type { Context, Panel } from './panel.ts'
import { panels } from './panels.ts'
import type { Session } from './session.ts'

/** Rejects when the panel cannot be shown. */
export async function showPlace(host: HTMLElement, context: Context): Promise<void> {
  const { place, session, address } = context
  const fitting = panels.filter((panel) => panel.isFor(place, session))
  const open = fitting.find(({ id }) => id === address.panel) ?? fitting[0]
  const isFolder = place.info.kind === 'directory'
  const target = { ...place.itself, path: place.path, name: place.path === rootPath ? place.volumeName : baseName(place.path) }
  const title = element('h1', { tabindex: -1 }, shownName(target.name))
  const facts = element('p', { class: 'facts' }, isFolder ? false : `${formatBytes(place.info.size)} · ${formatTime(place.info.mtime)}`)
  const actions = element('div', { class: 'actions' }, ...actionsFor(target, context, true).map(actionElement))
  const section = element('section', { class: `panel panel-${open?.id}`, 'aria-label': open?.title })
  host.append(element('div', { class: 'place-head' }, crumbs(context), element('div', { class: 'title-line' }, element('div', {}, title, facts), actions)))
  if (place.seq !== undefined) host.append(pastBanner(context))
  if (session.refusal !== undefined) host.append(publicBanner(session))
  if (fitting.length > 1) host.append(tabs(fitting, open, context))
  host.append(section)
  // On a phone there may be more tabs than it shows.
  host.querySelector('.tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  for (const panel of fitting) panel.attach?.(host, context)
  if (open === undefined) section.append(element('p', { class: 'empty' }, 'The token does not allow to see what is in here; it may open a file whose address is known.'))
  else await open.show(section, context)
}

function actionElement({ title, icon: name, href, run, id }: Action): HTMLElement {
  const attributes = { 'data-shortcut': id }
  if (href !== undefined) return element('a', { ...attributes, class: 'button', href, download: true }, icon(name), element('span', {}, title))
  return button({ icon: name, label: title, attributes, class: id === 'delete' ? 'button-quiet-danger' : '', onClick: () => run?.() })
}

/** From the volumes down to here, as far as the token reaches. */
function crumbs({ session, place, address }: Context): HTMLElement {
  const steps: Child[] = []
  const add = (label: Child, href: string | undefined): void => {
    const content = href === undefined ? element('span', { 'aria-current': 'page' }, label) : element('a', { href }, label)
    steps.push(element('li', {}, content))
  }
  if (session.onlyVolume === undefined) add(session.refusal === undefined ? 'Volumes' : 'Start', '#/')
  const names = splitPath(place.path)
  const paths = [rootPath, ...names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)].filter((path) => isWithin(path, session.prefix))
  for (const path of paths) {
    const label = shownName(path === rootPath ? place.volumeName : path === session.prefix ? `${place.volumeName}${path}` : baseName(path))
    add(label, path === place.path ? undefined : formatAddress({ ...address, path, panel: undefined, filter: '' }, true))
  }
  return element('nav', { class: 'crumbs', 'aria-label': 'Path' }, element('ol', {}, ...steps))
}

function pastBanner({ place, address }: Context): HTMLElement {
  const now = element('a', { href: formatAddress({ ...address, seq: undefined }, place.info.kind === 'directory') }, 'Show what is there now')
  return element('p', { class: 'banner' }, icon('clock'), element('span', {}, `This is what commit ${place.seq} left. `, now))
}

function publicBanner(session: Session): HTMLElement {
  const summary = element('summary', {}, 'This volume is public: everybody may read it. To change or share it a token is needed.')
  return element('details', { class: 'banner banner-public' }, summary, tokenForm(session, false))
}

function tabs(fitting: readonly Panel[], open: Panel | undefined, { address, place }: Context): HTMLElement {
  const items = fitting.map((panel, index) => {
    const href = formatAddress({ ...address, panel: index === 0 ? undefined : panel.id, comparison: undefined }, place.info.kind === 'directory')
    return element('li', {}, element('a', { href, 'aria-current': panel === open ? 'page' : undefined, 'data-tab': panel.id }, icon(panel.icon), element('span', {}, panel.title)))
  })
  return element('nav', { class: 'tabs', 'aria-label': 'Views' }, element('ul', {}, ...items))
}

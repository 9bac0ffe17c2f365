/**
 * What differs between two commits: of a folder the names that came, went and changed, of a text its lines. Called by `panels/history.ts`.
 */
import { contentTypeOf } from '../../shared/content-type.ts'
import { codeOf } from '../../shared/error.ts'
import { baseName } from '../../shared/path.ts'
import type { DiffMessage, DifferenceMessage } from '../../shared/wire/messages.ts'
import type { BrowserVolume } from '../browser/volume.ts'
import { formatAddress } from './address.ts'
import { button, element, fill, icon } from './element.ts'
import { formatBytes, formatCount, shownName } from './format.ts'
import { readDiff } from './history-api.ts'
import { diffLines, hunksOf, splitLines } from './line-diff.ts'
import type { Context } from './panel.ts'
import { decodeText } from './text-encoding.ts'

export interface Differences {
  readonly path: string
  readonly from: number
  readonly to: number
  readonly oldPath: string
  readonly onRestore: (path: string, seq: number) => void
}

const comparedBytesMax = 1024 * 1024
/** More nobody reads, and the page would be slow. */
const shownLinesMax = 4000
const changeNames: Readonly<Record<DifferenceMessage['change'], string>> = { added: 'Added', removed: 'Removed', changed: 'Changed' }
const signs = { same: ' ', removed: '−', added: '+' } as const

export async function showDifferences(host: HTMLElement, context: Context, differences: Differences): Promise<void> {
  if (context.place.info.kind === 'directory') await showNames(host, context, differences)
  else await showText(host, context, differences)
}

async function showNames(host: HTMLElement, context: Context, differences: Differences): Promise<void> {
  const { session, place, signal, notices } = context
  const { path, from, to } = differences
  const list = element('ul', { class: 'differences' })
  const said = element('p', { class: 'quiet', role: 'status' })
  let after: string | undefined
  let count = 0
  const add = (page: DiffMessage): void => {
    for (const item of page.items) list.append(differenceRow(context, differences, item))
    count += page.items.length
    after = page.items.at(-1)?.path
    more.hidden = page.isLast
    const linked = page.hasLinkedChanges ? ' Files with several names may have changed, too.' : ''
    said.textContent = `${page.isLast ? '' : 'More than '}${formatCount(count, 'difference', 'differences')}.${linked}`
  }
  const more = button({ label: 'Show more', icon: 'down', onClick: () => void read().catch((error: unknown) => notices.fail(error)).finally(() => (more.disabled = false)) })
  const read = async (): Promise<void> => {
    more.disabled = true
    add(await readDiff(session, place.volumeName, { path, from, to, after }, signal))
  }
  await read()
  more.disabled = false
  fill(host, list, element('div', { class: 'more' }, said, more))
}

function differenceRow({ address, place, session }: Context, { from, to, onRestore }: Differences, { path, change, before, after }: DifferenceMessage): HTMLElement {
  const side = after ?? before
  const isFolder = side?.kind === 'directory'
  const isSameContent = before?.version !== undefined && before.version === after?.version
  const size = isFolder || side === undefined ? '' : before !== undefined && after !== undefined && !isSameContent ? `${formatBytes(before.size)} → ${formatBytes(after.size)}` : formatBytes(side.size)
  const seq = after === undefined ? from : to
  const link = element('a', { href: formatAddress({ ...address, path, seq, panel: undefined }, isFolder) }, shownName(path))
  const can = before !== undefined && place.seq === undefined && session.may('write')
  const back = can && button({ label: 'Restore', attributes: { 'aria-label': `Restore ${shownName(path)} from commit ${from}` }, onClick: () => onRestore(path, from) })
  return element(
    'li',
    { class: `difference-${change}` },
    element('span', { class: 'difference-kind' }, isSameContent ? 'Attributes' : changeNames[change]),
    element('span', { class: 'difference-path' }, icon(isFolder ? 'folder' : 'file'), link),
    element('span', { class: 'quiet' }, size),
    element('span', { class: 'change-buttons' }, back),
  )
}

async function showText(host: HTMLElement, { place, signal }: Context, { path, oldPath, from, to }: Differences): Promise<void> {
  const [before, after] = await Promise.all([textAt(place.volume, from, oldPath, signal), textAt(place.volume, to, path, signal)])
  if (before === undefined || after === undefined) return fill(host, element('p', {}, 'These are not texts, or long ones: look at each version by itself.'))
  const hunks = hunksOf(diffLines(splitLines(before), splitLines(after)))
  if (hunks.length === 0) return fill(host, element('p', {}, 'The content is the same: only attributes changed.'))
  const table = element('table', { class: 'lines' }, element('caption', { class: 'hidden' }, `Lines of ${shownName(baseName(path))} in commits ${from} and ${to}`))
  table.append(element('thead', { class: 'hidden' }, element('tr', {}, ...[`Line in ${from}`, `Line in ${to}`, 'Change', 'Text'].map((text) => element('th', { scope: 'col' }, text)))))
  let left = shownLinesMax
  for (const { lines } of hunks) {
    if (left <= 0) break
    const rows = lines.slice(0, left).map(({ kind, text, before: old, after: now }) => {
      const heard = kind === 'same' ? '' : kind
      return element('tr', { class: `line-${kind}` }, element('td', {}, String(old ?? '')), element('td', {}, String(now ?? '')), element('td', {}, element('span', { 'aria-hidden': 'true' }, signs[kind]), element('span', { class: 'hidden' }, heard)), element('td', {}, text))
    })
    table.append(element('tbody', {}, ...rows))
    left -= lines.length
  }
  const cut = left < 0 ? element('p', { class: 'quiet' }, `The first ${shownLinesMax.toLocaleString('en')} lines are shown; look at each version by itself for the others.`) : undefined
  fill(host, element('div', { class: 'data-scroll', tabindex: 0, role: 'region', 'aria-label': 'Lines that differ' }, table), cut)
}

/** The empty text where there was nothing; undefined for what is no text, or too much of it. Throws `not-found` for a commit that there is not. */
async function textAt(volume: BrowserVolume, seq: number, path: string, signal: AbortSignal): Promise<string | undefined> {
  const then = await volume.at(seq, { signal })
  try {
    const { size, kind, name } = await then.stat(path, { signal })
    if (kind !== 'file' || size > comparedBytesMax) return undefined
    const bytes = await then.read(path, {}, { signal })
    if (/^(image|audio|video|font)\//.test(contentTypeOf(name)) && !contentTypeOf(name).includes('xml')) return undefined
    return decodeText(bytes)
  } catch (error) {
    if (codeOf(error) === 'not-found') return ''
    throw error
  }
}

/**
 * What happened to a file or folder: the commits that changed it, as it was then, what differs, and bringing it back.
 */
import { EdgemountError, codeOf } from '../../../shared/error.ts'
import { baseName, childPath, parentPath, rootPath } from '../../../shared/path.ts'
import type { HistoryMessage, PathChangeMessage, RestoreMessage } from '../../../shared/wire/messages.ts'
import { type Comparison, formatAddress, historyId } from '../address.ts'
import { lookAgain } from '../actions.ts'
import { ask } from '../dialog.ts'
import { showDifferences } from '../diff-view.ts'
import { button, element, fill, icon } from '../element.ts'
import { formatBytes, formatTime, kindNames, shownName } from '../format.ts'
import { readHistory, restore } from '../history-api.ts'
import { type Itself, itselfAt, unlessChanged } from '../itself.ts'
import type { Context, Panel } from '../panel.ts'
import { numberedPath } from '../uploads/free-name.ts'

const changeNames: Readonly<Record<PathChangeMessage['change'], string>> = { added: 'Added', changed: 'Changed', removed: 'Removed', renamed: 'Renamed' }

export const historyPanel: Panel = {
  id: historyId,
  title: 'History',
  icon: 'clock',
  isFor: (_, session) => session.may('read'),
  show: async (host, context) => {
    const { comparison } = context.address
    if (comparison !== undefined) return await showComparison(host, context, comparison, () => context.go({ comparison: undefined }))
    const first = await readHistory(context.session, context.place.volumeName, { path: context.place.info.path, before: beforeOf(context) }, context.signal)
    showList(host, context, first)
  },
}

function beforeOf({ place: { seq } }: Context): number | undefined {
  return seq === undefined ? undefined : seq + 1
}

function showList(host: HTMLElement, context: Context, first: HistoryMessage): void {
  const list = element('ol', { class: 'changes' })
  const said = element('p', { class: 'quiet', role: 'status' })
  let next = first.next
  let count = 0
  const add = ({ items, next: after }: HistoryMessage): void => {
    for (const change of items) list.append(changeRow(host, context, change, count + list.childElementCount === 0))
    count += items.length
    next = after
    more.hidden = next === null
    said.textContent = next !== null ? (count === 0 ? `The commits down to ${next.before} did not change this.` : '') : count === 0 ? 'No commit changed this.' : ''
  }
  const more = button({ label: 'Look further back', icon: 'down', onClick: () => void read() })
  const read = async (): Promise<void> => {
    if (next === null) return
    more.disabled = true
    try {
      add(await readHistory(context.session, context.place.volumeName, next, context.signal))
    } catch (error) {
      context.notices.fail(error)
    }
    more.disabled = false
  }
  add(first)
  fill(host, list, element('div', { class: 'more' }, said, more))
  if (context.place.info.kind === 'directory') host.prepend(element('p', { class: 'quiet' }, 'What is removed can be brought back: see what a commit changed.'))
}

function changeRow(host: HTMLElement, context: Context, change: PathChangeMessage, isNewest: boolean): HTMLElement {
  const { session, place, address } = context
  const { seq, time, author, message, path, from, entry } = change
  const isFolder = place.info.kind === 'directory'
  const then = formatTime(new Date(time))
  const what = from === undefined ? changeNames[change.change] : `Renamed from ${shownName(from)}`
  const facts = [what, entry === undefined || isFolder ? undefined : formatBytes(entry.size), `by ${shownName(author)}`].filter((part) => part !== undefined).join(' · ')
  const buttons = element('span', { class: 'change-buttons' })
  if (entry !== undefined) buttons.append(element('a', { class: 'button', href: formatAddress({ ...address, seq, path, panel: undefined }, isFolder), 'aria-label': `View commit ${seq}` }, 'View'))
  const canCompare = isFolder ? session.may('list') : entry !== undefined && seq > 1
  if (canCompare) buttons.append(button({ label: 'Changes', attributes: { 'aria-label': `Changes of commit ${seq}` }, onClick: () => void compare(host, context, { ...comparisonOf(context, path, from), from: Math.max(1, seq - 1), to: seq }) }))
  if (!isNewest && entry !== undefined && (!isFolder || session.may('list'))) {
    buttons.append(button({ label: 'Since then', attributes: { 'aria-label': `Since then: what changed after commit ${seq}` }, onClick: () => void compare(host, context, { ...comparisonOf(context, place.info.path, path), from: seq, to: undefined }) }))
  }
  if (entry !== undefined && place.seq === undefined && session.may('write') && !isNewest && path !== rootPath) {
    buttons.append(button({ label: 'Restore', attributes: { 'aria-label': `Restore commit ${seq}` }, onClick: () => askRestore(context, { path, seq, to: place.info.path }) }))
  }
  return element(
    'li',
    {},
    icon('clock'),
    element('div', { class: 'change-text' }, element('p', {}, element('strong', {}, then), ` · commit ${seq}`), element('p', { class: 'quiet' }, facts), message === undefined ? undefined : element('p', {}, shownName(message))),
    buttons,
  )
}

function comparisonOf({ place }: Context, path: string, oldPath = path): Pick<Comparison, 'path' | 'oldPath'> {
  return { path: path === place.info.path ? undefined : path, oldPath: oldPath === path ? undefined : oldPath }
}

/** In place of the list, which is there again, as far as it was read, when somebody goes back. */
async function compare(host: HTMLElement, context: Context, comparison: Comparison): Promise<void> {
  const kept = [...host.childNodes]
  const from = document.activeElement
  let isLeft = false
  const leave = context.enter({ comparison }, () => {
    isLeft = true
    host.replaceChildren(...kept)
    if (from instanceof HTMLElement) from.focus()
  })
  try {
    await showComparison(host, context, comparison, leave, (title) => title.focus())
  } catch (error) {
    // Who has gone elsewhere meanwhile stays there.
    if (isLeft || context.signal.aborted) return
    context.notices.fail(error)
    leave()
  }
}

async function showComparison(host: HTMLElement, context: Context, comparison: Comparison, onBack: () => void, onTitle?: (title: HTMLElement) => void): Promise<void> {
  const { from, to = context.place.volume.seq, path = context.place.info.path, oldPath = path } = comparison
  const view = element('div', { class: 'comparison' })
  const back = button({ icon: 'up', label: 'Back to the history', onClick: onBack })
  const title = element('h2', { tabindex: -1 }, titleOf(comparison))
  host.replaceChildren(element('div', { class: 'comparison-head' }, back, title), view)
  onTitle?.(title)
  await showDifferences(view, context, { path, from, to, oldPath, onRestore: (restored, seq) => askRestore(context, { path: restored, seq, to: restored }) })
}

function titleOf({ from, to }: Comparison): string {
  if (to === undefined) return `What changed since commit ${from}`
  return from === Math.max(1, to - 1) ? `What commit ${to} changed` : `What differs between commits ${from} and ${to}`
}

interface Restoring {
  readonly path: string
  readonly seq: number
  readonly to: string
}

export function askRestore(context: Context, { path, seq, to }: Restoring): void {
  const { session, place, notices } = context
  const name = `“${shownName(baseName(path))}”`
  const isCopy = element('input', { type: 'checkbox', id: 'as-copy' })
  const folders = place.info.kind === 'directory' ? ' In folders, what came since stays where it is.' : ''
  const text = element('p', {}, `${name} becomes what commit ${seq} left. What is there now stays in the history.${folders} No bytes move.`)
  ask(notices, (signal) => {
    const there = element('p', { class: 'counted', role: 'status' }, 'Looking at what is there now…')
    const now = itselfAt({ session, volumeName: place.volumeName, volume: place.volume, signal }, to)
    now.then((itself) => fill(there, describeNow(itself)), () => fill(there))
    return {
      title: `Restore ${name} from commit ${seq}?`,
      content: [text, there, element('p', { class: 'check' }, isCopy, element('label', { for: 'as-copy' }, 'As a copy beside it'))],
      action: 'Restore',
      run: async () => {
        const { count, path: reached } = isCopy.checked
          ? await restoreCopy(context, { path, seq, to: copyPath(to, seq) })
          : await unlessChanged(name, 'restored', async () => restore(session, place.volumeName, path, { seq, to, over: (await now)?.version }))
        notices.tell(count === 0 ? `Nothing is different: ${name} is as commit ${seq} left it.` : `Restored “${shownName(reached)}” from commit ${seq}.`)
        await context.changed()
        // Who has gone elsewhere meanwhile stays there.
        if (!context.signal.aborted) context.go({ path: isCopy.checked ? reached : place.path, panel: 'history' })
      },
      lookAgain: () => lookAgain(context),
    }
  })
}

function describeNow(itself: Itself | undefined): string {
  if (itself === undefined) return 'Nothing is there now.'
  return itself.kind === 'file' ? `What is there now: a file of ${formatBytes(itself.size)}.` : `What is there now: a ${kindNames[itself.kind]}.`
}

/** Throws `conflict` where something is already, which is no reason to look again. */
async function restoreCopy({ session, place }: Context, { path, seq, to }: Restoring): Promise<RestoreMessage> {
  try {
    return await restore(session, place.volumeName, path, { seq, to, over: undefined })
  } catch (error) {
    if (codeOf(error) !== 'stale') throw error
    throw new EdgemountError('conflict', `Cannot restore a copy: “${shownName(to)}” is there already, perhaps that copy; rename it, or delete it`, { cause: error })
  }
}

function copyPath(path: string, seq: number): string {
  const numbered = baseName(numberedPath(path, seq)).replace(` (${seq})`, ` (commit ${seq})`)
  return childPath(parentPath(path) ?? rootPath, numbered)
}

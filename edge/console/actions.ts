/**
 * What can be done with one name: download it, give it another name, remove it. The same for a row of a directory and for the place that is shown.
 */
import type { BrowserVolume, FileInfo } from '../browser/volume.ts'
import { EdgemountError } from '../../shared/error.ts'
import { baseName, checkName, childPath, parentPath, rootPath } from '../../shared/path.ts'
import { ask } from './dialog.ts'
import { element, fill } from './element.ts'
import { formatBytes, formatCount, kindNames, shownName } from './format.ts'
import type { IconName } from './icons.ts'
import { unlessChanged } from './itself.ts'
import type { Context } from './panel.ts'

/** As the page shows it: of another version nothing is done. */
export type Target = Pick<FileInfo, 'path' | 'name' | 'kind' | 'size' | 'version'>

export interface Action {
  readonly id: 'download' | 'rename' | 'delete'
  readonly title: string
  readonly icon: IconName
  /** Where a browser goes to do it. */
  readonly href?: string
  readonly run?: () => void
}

/** `isHere`: the target is the place that is shown, which is left when it goes. */
export function actionsFor(target: Target, context: Context, isHere: boolean): readonly Action[] {
  const { session, place } = context
  const actions: Action[] = []
  if (target.kind === 'directory' && session.may('list')) {
    actions.push({ id: 'download', title: 'Download as zip', icon: 'archive', href: session.zipUrl(place.volumeName, target.path, place.seq) })
  }
  if (target.kind === 'file') {
    actions.push({ id: 'download', title: 'Download', icon: 'download', href: `${session.fileUrl(place.volumeName, target.path, place.seq)}?download` })
  }
  // What is past cannot be changed, and neither can the whole volume, or all that a token reaches.
  if (place.seq === undefined && session.may('write') && target.path !== rootPath && target.path !== session.prefix) {
    actions.push({ id: 'rename', title: 'Rename or move', icon: 'rename', run: () => askName(target, context, isHere) })
    actions.push({ id: 'delete', title: 'Delete', icon: 'trash', run: () => askRemoval(target, context, isHere) })
  }
  return actions
}

/** What is shown for bytes that are no text. */
const unreadable = '\ufffd'

function askName(target: Target, context: Context, isHere: boolean): void {
  const { session, place, notices } = context
  const input = element('input', { id: 'new-name', name: 'name', value: target.name.toWellFormed(), required: true, autocomplete: 'off', spellcheck: 'false' })
  // The field leaves out line breaks, so it is asked what it shows.
  const shown = input.value
  const label = element('label', { for: 'new-name' }, 'New name, or a path that begins with a slash')
  const name = `“${shownName(target.name)}”`
  // What comes into a folder meanwhile moves with it, and is not lost.
  const version = target.kind === 'directory' ? undefined : target.version
  ask(notices, () => ({
    title: `Rename ${name}`,
    content: [label, input],
    action: 'Rename',
    run: async () => {
      if (input.value === shown) return
      const to = pathFor(target, input.value)
      await unlessChanged(name, 'renamed', () => session.rename(place.volumeName, target.path, to, version))
      notices.tell(`Renamed to “${shownName(to)}”.`)
      if (!isHere) return await context.changed()
      await place.volume.refresh()
      context.go({ path: to }, { isFolder: target.kind === 'directory' })
    },
    lookAgain: () => lookAgain(context),
  }))
  // Without its extension, which seldom changes.
  const dot = target.kind === 'file' ? input.value.lastIndexOf('.') : -1
  input.focus()
  input.setSelectionRange(0, dot > 0 ? dot : input.value.length)
}

/** In the directory that is shown. */
export function askFolder(context: Context): void {
  const { session, place, notices } = context
  const input = element('input', { id: 'folder-name', name: 'name', required: true, autocomplete: 'off', spellcheck: 'false' })
  ask(notices, () => ({
    title: `New folder in “${shownName(place.path === rootPath ? place.volumeName : baseName(place.path))}”`,
    content: [element('label', { for: 'folder-name' }, 'Name'), input],
    action: 'Make',
    run: async () => {
      checkName(input.value)
      const isNew = await session.makeFolder(place.volumeName, childPath(place.info.path, input.value))
      if (!isNew) throw new EdgemountError('conflict', `Cannot make the folder “${shownName(input.value)}”: it is there already; choose another name`)
      notices.tell(`Made the folder “${shownName(input.value)}”.`)
      await context.changed()
    },
  }))
  input.focus()
}

/** Throws `invalid` for what can be no name, and for bytes of the old name that cannot be typed: the sign that is shown for them is another name. */
function pathFor({ path, name }: Target, text: string): string {
  if (!name.isWellFormed() && text.includes(unreadable)) {
    throw new EdgemountError('invalid', `Cannot keep the “${unreadable}” of “${shownName(name)}”: it stands for bytes that are no text; write a name without it`)
  }
  if (text.startsWith('/')) return `/${text.split('/').filter((name) => name !== '').join('/')}`
  checkName(text)
  return childPath(parentPath(path) ?? rootPath, text)
}

function askRemoval(target: Target, context: Context, isHere: boolean): void {
  const { session, place, notices } = context
  const name = `“${shownName(target.name)}”`
  ask(notices, (signal) => {
    const text = element('p', {}, target.kind === 'directory' ? `The folder ${name} goes, with everything in it.` : `The ${kindNames[target.kind]} ${name} goes${target.kind === 'file' ? `: ${formatBytes(target.size)}` : ''}.`)
    const isFolder = target.kind === 'directory'
    const past = element('p', { class: 'quiet' }, `${isFolder ? 'If anything in it changes before, nothing is deleted. ' : ''}Older commits of the volume still have it.`)
    const counted = element('p', { class: 'counted', role: 'status' })
    const asked = isFolder ? lookInto(place.volume, target.path, counted, signal) : Promise.resolve(target.version)
    asked.catch(() => undefined)
    return {
      title: `Delete ${name}?`,
      content: [text, counted, past],
      action: 'Delete',
      isDangerous: true,
      run: async () => {
        const version = await asked
        await unlessChanged(name, 'deleted', () => session.remove(place.volumeName, target.path, { isDirectory: isFolder, version }))
        notices.tell(`Deleted ${name}.`)
        if (!isHere) return await context.changed()
        await place.volume.refresh()
        context.go({ path: parentPath(target.path) ?? rootPath, panel: undefined }, { isFolder: true })
      },
      lookAgain: () => lookAgain(context),
    }
  })
}

/** Shows the same place as it is now. */
export async function lookAgain({ place, go }: Context): Promise<void> {
  await place.volume.refresh()
  go({})
}

/** The version of a folder, and, in `host`, how much is in that one. */
async function lookInto(volume: BrowserVolume, path: string, host: HTMLElement, signal: AbortSignal): Promise<string> {
  const now = await volume.at(volume.seq, { signal })
  const { version } = await now.stat(path, { signal })
  void describeTree(now, path, host, signal)
  return version
}

export interface TreeCount {
  readonly files: number
  readonly folders: number
  readonly bytes: number
  /** There is more than was counted. */
  readonly isCut: boolean
}

/** Counting more takes longer than anybody waits before a question. */
const countMax = 20_000

async function describeTree(volume: BrowserVolume, path: string, host: HTMLElement, signal: AbortSignal): Promise<void> {
  fill(host, 'Counting what is in it…')
  try {
    const { files, folders, bytes, isCut } = await countTree(volume, path, signal)
    const inside = [files > 0 && formatCount(files, 'file', 'files'), folders > 0 && formatCount(folders, 'folder', 'folders')].filter((part) => part !== false)
    if (inside.length === 0) fill(host, 'It is empty.')
    else fill(host, element('strong', {}, `${isCut ? 'More than ' : ''}${inside.join(' and ')}`), `, ${isCut ? 'more than ' : ''}${formatBytes(bytes)}.`)
  } catch {
    fill(host, 'How much that is could not be counted.')
  }
}

/** Everything below a directory, itself not counted. Whatever is no directory counts as a file. */
export async function countTree(volume: Pick<BrowserVolume, 'list'>, path: string, signal: AbortSignal, max = countMax): Promise<TreeCount> {
  const open = [path]
  let files = 0
  let folders = 0
  let bytes = 0
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    let after: string | undefined
    for (let isLast = false; !isLast; ) {
      const page = await volume.list(folder, { after, signal })
      for (const item of page.items) {
        if (item.kind === 'directory') {
          folders += 1
          open.push(item.path)
        } else {
          files += 1
          bytes += item.size
        }
      }
      if (files + folders >= max && (!page.isLast || open.length > 0)) return { files, folders, bytes, isCut: true }
      isLast = page.isLast
      after = page.items.at(-1)?.name
      if (!isLast && after === undefined) throw new EdgemountError('internal', `Cannot count "${folder}": a page of it has no names`)
    }
  }
  return { files, folders, bytes, isCut: false }
}

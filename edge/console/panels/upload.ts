/** Uploading into a folder: by dropping files and folders anywhere on it, or by choosing them. */
import { button, element, fill, icon } from '../element.ts'
import { formatBytes, formatCount, formatTime, shownName } from '../format.ts'
import type { Context, Panel, Place } from '../panel.ts'
import type { Session } from '../session.ts'
import { type Dropped, chosenFiles, entriesOf, readEntries } from '../uploads/dropped.ts'
import { uploadsOf } from '../uploads/uploads.ts'

export const uploadPanel: Panel = {
  id: 'upload',
  title: 'Upload',
  icon: 'upload',
  isFor: ({ info, seq }: Place, session: Session) => info.kind === 'directory' && seq === undefined && session.may('write'),
  show: (host, context) => {
    const { place } = context
    const files = chooser(context, false)
    const folder = chooser(context, true)
    const zone = element(
      'div',
      { class: 'drop-zone' },
      icon('upload'),
      element('p', {}, `Drop files and folders here: they go into “${shownName(place.info.name === '' ? place.volumeName : place.info.name)}”.`),
      element('div', { class: 'buttons' }, button({ label: 'Choose files', class: 'button-primary', onClick: () => files.click() }), button({ label: 'Choose a folder', onClick: () => folder.click() })),
      files,
      folder,
    )
    host.append(zone, element('p', { class: 'quiet' }, 'Nothing that is there is replaced before you are asked. Long files go on where they were after a cut; keep the page open until they are done.'))
    showUnfinished(host, context)
  },
  attach: (view, context) => {
    const uploads = uploadsOf(context)
    uploads.context = context
    let depth = 0
    const over = (isOver: boolean): void => void view.classList.toggle('view-drop', isOver)
    const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true
    view.addEventListener('dragenter', (event) => {
      if (!holdsFiles(event)) return
      depth += 1
      over(true)
    })
    view.addEventListener('dragleave', () => {
      depth = Math.max(0, depth - 1)
      if (depth === 0) over(false)
    })
    view.addEventListener('dragover', (event) => {
      if (!holdsFiles(event)) return
      event.preventDefault()
      if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'copy'
    })
    view.addEventListener('drop', (event) => {
      depth = 0
      over(false)
      if (!holdsFiles(event) || event.dataTransfer === null) return
      event.preventDefault()
      const entries = entriesOf(event.dataTransfer)
      void take(context, () => readEntries(entries, (count) => context.notices.say(`Found ${formatCount(count, 'file', 'files')}`)))
    })
  },
}

async function take(context: Context, read: () => Dropped | Promise<Dropped>): Promise<void> {
  try {
    const { place } = context
    const dropped = await read()
    if (dropped.files.length + dropped.emptyFolders.length > 0) uploadsOf(context).queue.add(place.volumeName, place.info.path, dropped)
  } catch (error) {
    context.notices.fail(error)
  }
}

function chooser(context: Context, isFolder: boolean): HTMLInputElement {
  const attributes = isFolder ? { webkitdirectory: true, 'aria-label': 'A folder to upload' } : { 'aria-label': 'Files to upload' }
  const input = element('input', { type: 'file', multiple: true, hidden: true, ...attributes })
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])]
    input.value = ''
    void take(context, () => chosenFiles(files))
  })
  return input
}

/** A page may not read a file again by itself: somebody has to choose it. */
function showUnfinished(host: HTMLElement, context: Context): void {
  const { unfinished, queue } = uploadsOf(context)
  const here = unfinished.all().filter(({ volume, path }) => volume === context.place.volumeName && !queue.items.some((item) => (item.sendingTo ?? item.path) === path && item.state !== 'failed' && item.state !== 'cancelled'))
  if (here.length === 0) return
  const list = element('ul', { class: 'unfinished' })
  const section = element('section', { class: 'unfinished-section' }, element('h2', {}, 'Begun and not ended'), element('p', { class: 'quiet' }, 'Choose the same file again, into the same folder, and it goes on where it was.'), list)
  for (const upload of here) {
    const text = `${shownName(upload.path)} · ${formatBytes(upload.size)} · begun ${formatTime(new Date(upload.begunMs))}`
    const forget = button({
      label: 'Forget',
      attributes: { 'aria-label': `Forget ${shownName(upload.path)}` },
      onClick: () => {
        unfinished.forget(upload)
        fill(section)
        section.remove()
        showUnfinished(host, context)
      },
    })
    list.append(element('li', {}, element('span', {}, text), forget))
  }
  host.append(section)
}

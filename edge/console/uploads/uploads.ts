/**
 * The queue of a session, with what it needs of the page: requests, questions, the list at the lower edge, and a word of warning before the page is left. Called by
 * `panels/upload.ts`; it lives as long as the page.
 */
import { systemClock } from '../../../shared/clock.ts'
import { codeOf } from '../../../shared/error.ts'
import { percentEncodePath } from '../../../shared/path.ts'
import { button, element } from '../element.ts'
import { showDialog } from '../dialog.ts'
import { shownName } from '../format.ts'
import type { Context } from '../panel.ts'
import { type Session, errorOf } from '../session.ts'
import { UploadDock } from './dock.ts'
import { type Decision, UploadQueue } from './queue.ts'
import { send } from './send.ts'
import { type Notebook, UnfinishedUploads } from './unfinished.ts'

export interface Uploads {
  readonly queue: UploadQueue
  readonly unfinished: UnfinishedUploads
  /** What is shown now: it hears when something was uploaded. */
  context: Context
}

const known = new WeakMap<Session, Uploads>()

export function uploadsOf(context: Context): Uploads {
  const found = known.get(context.session)
  if (found !== undefined) {
    found.context = context
    return found
  }
  const made = makeUploads(context)
  known.set(context.session, made)
  return made
}

function makeUploads(context: Context): Uploads {
  const { session } = context
  const unfinished = new UnfinishedUploads(notebook())
  const dock = new UploadDock(() => queue, systemClock)
  document.body.append(dock.element)
  keepPage()
  const queue = new UploadQueue({
    world: { url: (path) => session.url(path), send: (sending) => send(sending, systemClock), errorOf, clock: systemClock, unfinished },
    exists: async (volume, path, signal) => await exists(session, volume, path, signal),
    makeFolder: async (volume, path, signal) => void (await session.send(`/v1/${volume}/mkdir${percentEncodePath(path)}`, { method: 'POST', signal })),
    decide,
    onChange: () => {
      dock.draw()
      warnBeforeLeaving(queue.isBusy)
    },
    onIdle: () => {
      const { failedCount, endedCount } = queue.totals
      uploads.context.notices.say(failedCount > 0 ? `${failedCount} of ${endedCount} uploads failed.` : 'All uploads are done.')
      uploads.context.changed().catch(() => undefined)
    },
  })
  const uploads: Uploads = { queue, unfinished, context }
  return uploads
}

/** As of the newest commit that the page knows; the write itself is refused where another one was made since. */
async function exists(session: Session, name: string, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    const volume = await session.volume(name)
    await volume.stat(path, { signal })
    return true
  } catch (error) {
    // Who may write and not read learns it from the write.
    if (codeOf(error) === 'not-found' || codeOf(error) === 'denied') return false
    throw error
  }
}

/** What is dropped beside a folder would be opened by the browser in place of the page. */
function keepPage(): void {
  const refuse = (event: DragEvent): void => {
    if (event.defaultPrevented || event.dataTransfer?.types.includes('Files') !== true) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'none'
  }
  addEventListener('dragover', refuse)
  addEventListener('drop', refuse)
}

let isWarning = false

function warnBeforeLeaving(isBusy: boolean): void {
  if (isBusy === isWarning) return
  isWarning = isBusy
  if (isBusy) addEventListener('beforeunload', warn)
  else removeEventListener('beforeunload', warn)
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault()
}

/** Once for all that were dropped together. Closing the question is no answer that loses anything: they are skipped. */
function decide(path: string, count: number): Promise<Decision> {
  return new Promise((resolve) => {
    let decision: Decision = 'skip'
    const choose = (chosen: Decision) => (): void => {
      decision = chosen
      dialog.close()
    }
    const others = count > 1 ? ' The answer is for all files of this upload whose names are taken.' : ''
    const text = element('p', {}, `“${shownName(path)}” is there already.${others} What is replaced can be brought back from the history.`)
    const buttons = element(
      'div',
      { class: 'dialog-buttons' },
      button({ label: 'Skip', onClick: choose('skip') }),
      button({ label: 'Keep both', onClick: choose('keep-both') }),
      button({ label: 'Replace', class: 'button-primary', onClick: choose('replace') }),
    )
    const dialog = showDialog('Something of that name is there', [text, buttons], () => resolve(decision))
  })
}

/** Undefined where the browser keeps nothing. */
function notebook(): Notebook | undefined {
  try {
    return globalThis.localStorage
  } catch {
    return undefined
  }
}

/**
 * Questions before something is done, as the browser's own modal dialogs: they hold the focus, end with Escape, and give the focus back.
 */
import { codeOf } from '../../shared/error.ts'
import { type Child, button, element, fill } from './element.ts'
import { type Notices, toldOf } from './notices.ts'

export interface Question {
  readonly title: string
  readonly content: readonly Child[]
  /** What the button says. */
  readonly action: string
  readonly isDangerous?: boolean
  /** Does it; what it throws is shown in the dialog, which stays open. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** What is offered in place of the action once `run` throws `stale`: what is asked about has changed. */
  readonly lookAgain?: () => Promise<void>
}

/** Fires its signal when the dialog is closed. What fails only then is told by `notices`. */
export function ask(notices: Pick<Notices, 'fail'>, make: (signal: AbortSignal) => Question): void {
  const closing = new AbortController()
  const question = make(closing.signal)
  const failure = element('p', { class: 'dialog-failure', role: 'alert' })
  const act = element('button', { type: 'submit', class: `button ${question.isDangerous === true ? 'button-danger' : 'button-primary'}` }, question.action)
  const cancel = button({ label: 'Cancel', onClick: () => dialog.close() })
  const again = button({ label: 'Look again', class: 'button-primary', attributes: { hidden: true }, onClick: () => {
    dialog.close()
    question.lookAgain?.().catch((error: unknown) => notices.fail(error))
  } })
  const form = element('form', { method: 'dialog' }, ...question.content, failure, element('div', { class: 'dialog-buttons' }, cancel, again, act))
  const dialog = showDialog(question.title, [form], () => closing.abort())
  // What is asked about the place that is shown is over when another one is.
  addEventListener('hashchange', () => dialog.close(), { signal: closing.signal })
  const run = async (): Promise<void> => {
    act.disabled = true
    fill(failure)
    try {
      await question.run(closing.signal)
      dialog.close()
    } catch (error) {
      if (closing.signal.aborted) return notices.fail(error)
      failure.textContent = toldOf(error)
      act.disabled = false
      if (codeOf(error) !== 'stale' || question.lookAgain === undefined) return
      act.hidden = true
      again.hidden = false
      again.focus()
    }
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void run()
  })
}

/** A dialog that says something. */
export function showDialog(title: string, content: readonly Child[], onClose: () => void = () => undefined): HTMLDialogElement {
  const heading = element('h2', { id: 'dialog-title' }, title)
  const dialog = element('dialog', { 'aria-labelledby': 'dialog-title' }, heading, ...content)
  dialog.addEventListener('close', () => {
    dialog.remove()
    onClose()
    // What had the focus before may be gone by what was done; then it goes to the row that took its place, or to the top of the view.
    if (document.activeElement === document.body) document.querySelector<HTMLElement>('main .rows a[tabindex="0"], main h1')?.focus()
  })
  // Outside of it is the dialog itself, too: its inside has other targets.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close()
  })
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}

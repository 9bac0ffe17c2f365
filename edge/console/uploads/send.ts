/**
 * Requests that say how far they are: `fetch` cannot tell that of what it sends, so this is XMLHttpRequest. An answer of any status is one; only no answer is an error.
 */
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'

export interface Sending {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Blob | undefined
  readonly signal: AbortSignal
  /** Bytes of the body that are on their way. */
  readonly onSent?: (bytes: number) => void
}

export interface Answer {
  readonly status: number
  readonly text: string
  header(name: string): string | undefined
}

/** Longer than any answer takes while bytes move; a connection that died is noticed then. */
const silentMs = 150_000
const lookMs = 5000

export function send({ method, url, headers, body, signal, onSent }: Sending, clock: Clock): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const over = new AbortController()
    let movedMs = clock.now()
    const watch = async (): Promise<void> => {
      while (clock.now() - movedMs < silentMs) await clock.sleep(lookMs, over.signal)
      request.abort()
    }
    const end = (): void => {
      over.abort()
      signal.removeEventListener('abort', abort)
    }
    const abort = (): void => request.abort()
    request.open(method, url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.addEventListener('progress', ({ loaded }) => {
      movedMs = clock.now()
      onSent?.(loaded)
    })
    request.addEventListener('loadend', end)
    request.addEventListener('load', () => resolve({ status: request.status, text: request.responseText, header: (name) => request.getResponseHeader(name) ?? undefined }))
    request.addEventListener('error', () => reject(new EdgemountError('unavailable', 'Cannot reach the edge; look whether you are online')))
    request.addEventListener('abort', () => {
      reject(signal.aborted ? new EdgemountError('aborted', 'Cannot go on with the upload: it was cancelled') : new EdgemountError('unavailable', 'Cannot reach the edge: nothing moved for minutes; look whether you are online'))
    })
    if (signal.aborted) return reject(new EdgemountError('aborted', 'Cannot begin the upload: it was cancelled'))
    signal.addEventListener('abort', abort)
    watch().catch(() => undefined)
    request.send(body ?? null)
  })
}

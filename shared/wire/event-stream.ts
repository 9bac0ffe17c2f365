/**
 * The text of server-sent events, taken apart (html.spec.whatwg.org, section 9.2.6). Fed in any portions; holds at most one event.
 */
import { EdgemountError } from '../error.ts'

export interface StreamEvent {
  /** The last id that the stream gave, '' before the first. */
  readonly id: string
  /** `message` unless the stream says otherwise. */
  readonly type: string
  readonly data: string
}

/** A commit record is at most 256 KiB; more is no event of an edge. */
const eventLengthMax = 1024 * 1024

export class EventStreamParser {
  readonly #decoder = new TextDecoder('utf-8')
  #rest = ''
  #id = ''
  #type = ''
  #data: string[] = []
  #length = 0
  #endedWithReturn = false

  /** The events that became complete with these bytes. Throws `exhausted` for one that is too long. */
  push(bytes: Uint8Array): StreamEvent[] {
    const events: StreamEvent[] = []
    let text = this.#decoder.decode(bytes, { stream: true })
    // CRLF may be cut in the middle: the line feed belongs to the line that has ended already.
    if (this.#endedWithReturn && text.startsWith('\n')) text = text.slice(1)
    if (text !== '') this.#endedWithReturn = text.endsWith('\r')
    const lines = (this.#rest + text).split(/\r\n|\n|\r/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = this.#line(line)
      if (event !== undefined) events.push(event)
    }
    if (this.#rest.length + this.#length > eventLengthMax) {
      throw new EdgemountError('exhausted', `Cannot read the events: one is longer than ${eventLengthMax} characters`)
    }
    return events
  }

  #line(line: string): StreamEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return undefined
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') {
      this.#data.push(value)
      this.#length += value.length
    } else if (field === 'event') this.#type = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    return undefined
  }

  /** An event without data is none. */
  #dispatch(): StreamEvent | undefined {
    const event = this.#data.length === 0 ? undefined : { id: this.#id, type: this.#type || 'message', data: this.#data.join('\n') }
    this.#type = ''
    this.#data = []
    this.#length = 0
    return event
  }
}

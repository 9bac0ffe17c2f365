/**
 * A browser's way to follow events: the platform's own `EventSource` (`node --experimental-eventsource`, or Deno), which resumes by itself. Prints each commit it is
 * told as a line, `<id> <data's seq>`: `event-source.ts <url>`.
 */
import process from 'node:process'

/** The part that is used here. */
declare class EventSource {
  constructor(url: string)
  addEventListener(type: string, listener: (event: { readonly lastEventId: string; readonly data: string }) => void): void
}

const source = new EventSource(process.argv[2] ?? '')
source.addEventListener('commit', ({ lastEventId, data }) => {
  const { seq } = JSON.parse(data) as { seq: number }
  process.stdout.write(`${lastEventId} ${seq}\n`)
})
// Node does not wait for an EventSource that is about to connect again.
process.stdin.resume()

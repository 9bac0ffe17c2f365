/**
 * A proxy before an HTTP server that writes down what is asked of it and how many bytes each answer brought, so that tests can say what a client really
 * read. An answer that its client breaks off is counted as far as it came, and broken off behind the proxy, too. Answers come at the pace of a good network:
 * the sockets of one machine hold megabytes that a client would be said to have read.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export interface RecordedRequest {
  readonly method: string
  /** Still percent-encoded, with the query. */
  readonly path: string
  readonly range: string | undefined
  status: number
  bytes: number
  encoding: string | undefined
}

export interface RecordingProxy {
  readonly url: string
  /** What was asked since the last call. */
  taken(): RecordedRequest[]
  stop(): Promise<void>
}

/** 16 MiB a second and connection. */
const paceBytes = 64 * 1024
const paceMs = 4
/** Of films: a player that is not run for a moment, on a machine with much to do, is not to have been sent most of one meanwhile. */
const filmPaceMs = 16

export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  let recorded: RecordedRequest[] = []
  const server = createServer((incoming, outgoing) => recorded.push(passOn(new URL(target), incoming, outgoing)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    taken: () => {
      const taken = recorded
      recorded = []
      return taken
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function passOn({ hostname, port }: URL, incoming: IncomingMessage, outgoing: ServerResponse): RecordedRequest {
  const { method = '', url: path = '', headers } = incoming
  const record: RecordedRequest = { method, path, range: headers.range, status: 0, bytes: 0, encoding: undefined }
  const onward = request({ hostname, port, method, path, headers }, (answer) => {
    record.status = answer.statusCode ?? 502
    record.encoding = answer.headers['content-encoding']
    outgoing.writeHead(record.status, answer.headers)
    sendPaced(answer, outgoing, record).catch(() => outgoing.destroy())
  })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
  return record
}

/** Ends both when either does. */
async function sendPaced(answer: IncomingMessage, outgoing: ServerResponse, record: RecordedRequest): Promise<void> {
  const pauseMs = answer.headers['content-type']?.startsWith('video/') === true ? filmPaceMs : paceMs
  await pipeline(
    answer,
    async function* (source: AsyncIterable<Buffer>) {
      let paused = 0
      for await (const bytes of source) {
        record.bytes += bytes.length
        yield bytes
        if (record.bytes - paused < paceBytes) continue
        paused = record.bytes
        await sleep(pauseMs)
      }
    },
    outgoing,
  )
}

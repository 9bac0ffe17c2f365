/**
 * Requests over HTTP as load: many again and again by wrk, which costs little beside the server, or each once by Node.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'

export interface Wanted {
  readonly path: string
  /** The value of a Range header. */
  readonly range?: string | undefined
  /** Of the body. */
  readonly bytes: number
}

const connections = 16

/** Requests per second over some seconds. Throws when any was not answered as it should be. */
export function requestsPerSecond(url: string, wanted: readonly Wanted[], script: string, seconds: number): number {
  writeFileSync(script, luaOf(wanted))
  const output = execFileSync('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url], { encoding: 'utf8' })
  const found = /figures (\d+) (\d+) (\d+) (\d+)/.exec(output)
  const [, requests = 0, microseconds = 1, bytes = 0, errors = 0] = (found ?? []).map(Number)
  const expected = (requests * wanted.reduce((sum, each) => sum + each.bytes, 0)) / wanted.length
  if (errors > 0 || bytes < expected * 0.95) throw new Error(`Cannot measure ${url}: ${errors} errors, ${bytes} bytes instead of ${expected}`)
  return requests / (microseconds / 1e6)
}

function luaOf(wanted: readonly Wanted[]): string {
  const requests = wanted.map(({ path, range }) => `wrk.format("GET", "${path}", ${range === undefined ? 'nil' : `{ Range = "${range}" }`})`)
  return `local requests = nil
local count = 0
request = function()
  if requests == nil then requests = { ${requests.join(',\n')} } end
  count = count % #requests + 1
  return requests[count]
end
done = function(summary)
  local errors = summary.errors
  print(string.format("figures %d %d %d %d", summary.requests, summary.duration, summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`
}

/** The seconds in which each was answered once, over several connections. */
export async function secondsForAll(url: string, wanted: readonly Wanted[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const left = wanted.toReversed()
  const start = performance.now()
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await answered(`${url}${next.path}`, next, agent)
  }
  await Promise.all(Array.from({ length: connections }, worker))
  agent.destroy()
  return (performance.now() - start) / 1000
}

function answered(address: string, { range, bytes }: Wanted, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(address, { agent, headers: range === undefined ? {} : { range } }, (response) => {
      let length = 0
      response.on('data', (piece: Uint8Array) => (length += piece.length))
      response.on('error', reject)
      response.on('end', () => {
        if (length === bytes) resolve()
        else reject(new Error(`Cannot measure ${address}: ${response.statusCode}, ${length} of ${bytes} bytes`))
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

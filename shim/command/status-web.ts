/**
 * The page of `edgemount status --web`: a server for this machine alone, at an address that nobody can guess, which shows and changes nothing else. Called by `status.ts`.
 *
 * INVARIANT: who does not know the path learns nothing: everything else is the same 404. Other users of the machine reach the port, and not the page.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import type { Random } from '../../shared/random.ts'
import { toBase64Url } from '../../shared/wire/token.ts'

export interface StatusWebParts {
  /** What `status --json` has of each mount. */
  readonly look: () => Promise<readonly unknown[]>
  readonly clock: Clock
  readonly random: Random
}

export interface StatusWeb {
  readonly url: string
  close(): Promise<void>
}

interface PageFiles {
  readonly page: string
  readonly files: Readonly<Record<string, { readonly type: string; readonly text: string }>>
}

const pathBytes = 24
/** Several tabs are one question. */
const keptMs = 500
const headers = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

/** Throws `unavailable` where the page was not built. */
export async function serveStatus({ look, clock, random }: StatusWebParts): Promise<StatusWeb> {
  const page = await builtPage()
  const base = `/${toBase64Url(random.bytes(pathBytes))}/`
  const ask = keeping(look, clock)
  const server = createServer((request, response) => void answer(request, response, { page, base, ask }))
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}${base}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Served {
  readonly page: PageFiles
  readonly base: string
  readonly ask: () => Promise<string>
}

/** Never rejects. */
async function answer({ method, url = '' }: IncomingMessage, response: ServerResponse, { page, base, ask }: Served): Promise<void> {
  const send = (status: number, type: string, text: string): void => {
    response.writeHead(status, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(method === 'HEAD' ? undefined : text)
  }
  const plain = 'text/plain; charset=utf-8'
  if (!url.startsWith(base)) return send(404, plain, 'There is nothing here\n')
  if (method !== 'GET' && method !== 'HEAD') return send(405, plain, 'This page only shows\n')
  const name = url.slice(base.length).replace(/\?.*/, '')
  const file = Object.hasOwn(page.files, name) ? page.files[name] : undefined
  if (name === '') send(200, 'text/html; charset=utf-8', page.page)
  else if (name === 'status.json') send(200, 'application/json; charset=utf-8', await ask())
  else if (file !== undefined) send(200, file.type, file.text)
  else send(404, plain, 'There is nothing here\n')
}

/** What was asked a moment ago is not asked again. */
function keeping(look: () => Promise<readonly unknown[]>, clock: Clock): () => Promise<string> {
  let kept: { readonly atMs: number; readonly text: Promise<string> } | undefined
  return async () => {
    if (kept === undefined || clock.now() - kept.atMs > keptMs || clock.now() < kept.atMs) kept = { atMs: clock.now(), text: textOf(look) }
    return await kept.text
  }
}

/** A mount that went away meanwhile is one that is not there. */
async function textOf(look: () => Promise<readonly unknown[]>): Promise<string> {
  try {
    return JSON.stringify({ mounts: await look() })
  } catch (error) {
    return JSON.stringify({ mounts: [], error: { code: codeOf(error), message: messageOf(error) } })
  }
}

async function builtPage(): Promise<PageFiles> {
  const built = await import('#status-page').catch(() => undefined)
  if (built?.page === undefined) throw new EdgemountError('unavailable', 'Cannot show the page: it was not built; run npm run build where edgemount is installed')
  return { page: built.page, files: built.files }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

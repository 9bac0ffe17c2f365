/**
 * Which names a server answers to. A page that somebody visits can give its own name the address 127.0.0.1 and then ask whatever listens there, as its own
 * origin (DNS rebinding). So a server that only this machine reaches answers only to names that no page can have. Called by the servers of each runtime.
 */
import { respondError } from './respond.ts'

/** What a `Host` may look like (RFC 9110 section 7.2). Of two headers the platforms make one with a comma, which is none. */
const hostForm = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=-]+)(:\d{0,5})?$/

/** An address is no name: nobody can point it elsewhere. */
const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** As below for a whole request: its `Host`, and the authority of a target in absolute form, which counts before the header (RFC 9112 section 3.2.2). */
export function refuseForeignAddress({ url, headers }: Pick<Request, 'url' | 'headers'>, listening: string, names: readonly string[] = []): Response | undefined {
  return refuseForeignHost(headers.get('host'), listening, names) ?? refuseForeignHost(authorityOf(url), listening, names)
}

/** Host and port of an address, as they stand there; `URL` throws for what a client can send. */
export function authorityOf(url: string): string | undefined {
  return /^https?:\/\/([^/?#]*)/i.exec(url)?.[1]
}

/**
 * The refusal of a request whose `Host` is another's, or undefined. `listening` is the address that the server listens on; `names` are further ones it
 * answers to, as a proxy before it sends them.
 */
export function refuseForeignHost(host: string | null | undefined, listening: string, names: readonly string[] = []): Response | undefined {
  // Without the header it is HTTP/1.0, which no browser speaks.
  if (host === null || host === undefined) return undefined
  // RFC 9112 section 3.2: an invalid one, or two of them, is 400 wherever the server listens.
  if (!hostForm.test(host)) return respondError(400, 'invalid', `Cannot answer for the host "${host}": a request names one host; send one Host header`)
  if (!isLoopback(listening)) return undefined
  const name = nameOf(host)
  if (loopback.test(name) || names.some((own) => nameOf(own) === name)) return undefined
  const why = `this edge listens on ${listening} and answers to localhost, and to the names that --host-name gives it`
  return respondError(403, 'denied', `Cannot answer for the host "${name}": ${why}`)
}

/** True for an address that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return loopback.test(address.includes(':') && !address.startsWith('[') ? `[${address}]` : address.toLowerCase())
}

/** Without the port and the dot that may end a full name. */
function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/\.$/, '')
}

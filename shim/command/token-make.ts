/** The actions of `edgemount token` that need no edge: a secret, a token, a signed address, and what a token says. */
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { parsePath, rootPath } from '../../shared/path.ts'
import { systemRandom } from '../../shared/random.ts'
import { drawSecret } from '../../shared/wire/key-ring.ts'
import { routes } from '../../shared/wire/routes.ts'
import { type Claims, type Right, isKeyId, lifetimeSecondsMax, readToken, rights } from '../../shared/wire/token.ts'
import { UsageError } from './arguments.ts'
import type { Call } from './command.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { formatDuration } from './quantity.ts'
import { keysOf } from './secrets.ts'
import { parseTarget } from './target.ts'
import { jsonText, readLine, type Terminal } from './terminal.ts'

export const tokenSettings = ['volume', 'prefix', 'can', 'expires'] as const
export type TokenCall = Call<(typeof tokenSettings)[number]>

export async function makeSecret({ settings, parameters, terminal }: TokenCall): Promise<ExitCode> {
  const keyId = parameters[1] ?? 'k1'
  if (!isKeyId(keyId)) throw new UsageError(`Cannot use the key id "${keyId}": it must be 1 to 32 letters, digits, ".", "_" or "-", the first a letter or digit`)
  const secret = drawSecret(systemRandom)
  await terminal.output.write(settings.json ? jsonText({ keyId, secret }, terminal.output) : `${keyId}:${secret}\n`)
  return exitCode.ok
}

export async function createToken({ settings, terminal }: TokenCall): Promise<ExitCode> {
  if (settings.volume === undefined) throw new UsageError('Cannot make a token for no volume: name one with --volume, or every one with --volume "*"')
  const claims = { volume: settings.volume, prefix: parsePath(settings.prefix), reach: { kind: 'tree' }, rights: readRights(settings.can), expiry: expiryOf(settings.expires) } as const
  const token = await sign(terminal, claims)
  await terminal.output.write(settings.json ? jsonText({ token, ...readToken(token).claims }, terminal.output) : `${token}\n`)
  return exitCode.ok
}

/** No edge is asked: whether there is such a file is seen when somebody opens the address. */
export async function signUrl({ settings, parameters, terminal }: TokenCall): Promise<ExitCode> {
  const text = parameters[1] ?? ''
  const target = parseTarget(text)
  if (target.kind !== 'edge') throw new UsageError(`Cannot sign "${text}": a signed address is one of an edge, <edge URL>/<volume>/<file>`)
  const { source, volume, path, seq } = target.place
  if (path === rootPath) throw new UsageError(`Cannot sign "${text}": name a file in the volume; for a directory make a token with --prefix`)
  const token = await sign(terminal, { volume, prefix: path, reach: { kind: 'file', seq }, rights: ['read'], expiry: expiryOf(settings.expires) })
  const url = `${source}${routes.file(volume, path, seq)}?t=${token}`
  await terminal.output.write(settings.json ? jsonText({ url, token, ...readToken(token).claims }, terminal.output) : `${url}\n`)
  return exitCode.ok
}

export async function inspectToken(call: TokenCall): Promise<ExitCode> {
  const { settings, terminal } = call
  const token = await givenToken(call)
  const { claims } = readToken(token)
  const keys = keysOf(terminal)
  const isGenuine = keys === undefined ? undefined : (await keys.verify(token)) !== undefined
  const leftMs = claims.expiry * 1000 - systemClock.now()
  const facts = { ...claims, expires: dateOf(claims), isExpired: leftMs <= 0, isGenuine: isGenuine ?? null }
  if (settings.json) {
    await terminal.output.write(jsonText(facts, terminal.output))
    return exitCode.ok
  }
  const signed = isGenuine === undefined ? 'unknown: no secret is set here' : isGenuine ? 'yes' : 'no: EDGEMOUNT_SECRETS has no key that has signed it'
  const lines: readonly (readonly [string, string])[] = [
    ['volume', claims.volume === '*' ? '* (every one)' : claims.volume],
    ['reaches', reachText(claims)],
    ['allows', claims.rights.join(', ')],
    ['expires', `${dateOf(claims)} (${leftMs <= 0 ? 'it has expired' : `in ${formatDuration(leftMs)}`})`],
    ['key', claims.keyId],
    ['id', claims.id],
    ['genuine', signed],
  ]
  await terminal.output.write(lines.map(([name, value]) => `${name.padEnd(8)}  ${value}\n`).join(''))
  return exitCode.ok
}

function reachText({ prefix, reach }: Claims): string {
  if (reach.kind === 'tree') return prefix === rootPath ? 'all of it' : `${prefix} and what is below`
  return reach.seq === undefined ? `the file ${prefix}` : `the file ${prefix} of commit ${reach.seq}`
}

function dateOf({ expiry }: Claims): string {
  const date = new Date(expiry * 1000)
  return Number.isNaN(date.getTime()) ? `${expiry} s after 1970` : date.toISOString()
}

/** The second word, a line of standard input for `-`, or the environment's. */
async function givenToken({ settings, parameters, terminal }: TokenCall): Promise<string> {
  const word = parameters[1] ?? settings.token ?? '-'
  const text = word === '-' ? ((await readLine(terminal.input, terminal.signal)) ?? '') : word
  return /(?:^|[/=])(em1\.[^/?&=]+)/.exec(text.trim())?.[1] ?? text.trim()
}

function readRights(words: readonly string[]): readonly Right[] {
  const wanted = words.flatMap((word) => word.split(',')).map((word) => word.trim())
  const unknown = wanted.find((word) => !rights.some((right) => right === word))
  if (unknown !== undefined) throw new UsageError(`Cannot allow "${unknown}": there are ${rights.join(', ')} (--can)`)
  const chosen = rights.filter((right) => wanted.includes(right))
  return chosen.length === 0 ? ['read', 'list'] : chosen
}

function expiryOf(ms: number): number {
  const seconds = Math.ceil(ms / 1000)
  if (seconds > lifetimeSecondsMax) throw new UsageError('Cannot make a token for more than ten years (3650d): give it again before it ends (--expires)')
  return Math.floor(systemClock.now() / 1000) + seconds
}

async function sign(terminal: Terminal, claims: Omit<Claims, 'keyId' | 'id'>): Promise<string> {
  const keys = keysOf(terminal)
  if (keys === undefined) throw new EdgemountError('denied', 'Cannot make a token: there is no secret to sign it with. Set EDGEMOUNT_SECRETS to what the edge has; to make one: edgemount token secret')
  try {
    return await keys.sign(claims, systemRandom)
  } catch (error) {
    if (codeOf(error) === 'invalid') throw new UsageError(messageOf(error))
    throw error
  }
}

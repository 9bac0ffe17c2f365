/** The actions of `edgemount token` that change or show what a volume says: who may read it without a token, and which tokens are revoked. Over an edge, or in the store itself. */
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { type VolumeAccess, closedAccess, decodeAccess, encodeAccess, withRevoked } from '../../shared/format/access.ts'
import { rootPath } from '../../shared/path.ts'
import { accessKey } from '../../shared/volume/keys.ts'
import { everyVolume, isTokenId, lifetimeSecondsMax, readToken } from '../../shared/wire/token.ts'
import { UsageError } from './arguments.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { type OpenPlace, openPlace, requireVolume } from './open.ts'
import { openSettings } from './session.ts'
import { jsonText } from './terminal.ts'
import type { TokenCall } from './token-make.ts'

/** Of two who change it at once one comes again. */
const triesMax = 10

export async function revokeToken(call: TokenCall): Promise<ExitCode> {
  const given = call.parameters[2] ?? ''
  const { id, expiry, volume } = isTokenId(given) ? { id: given, expiry: nowSeconds() + lifetimeSecondsMax, volume: undefined } : readToken(given).claims
  return await withPlace(call, async (opened) => {
    const { place } = opened
    if (volume !== undefined && volume !== everyVolume && volume !== place.volume) throw new EdgemountError('invalid', `Cannot revoke it in "${place.volume}": it is a token for the volume "${volume}"`)
    await change(opened, (access) => withRevoked(access, { id, until: expiry }), call.terminal.signal)
    const others = volume === everyVolume ? ' It is for every volume: revoke it in each, or replace the key that it is signed with.' : ''
    await say(call, { volume: place.volume, id, until: expiry }, `Revoked ${id} in "${place.volume}"; every edge knows within five seconds.${others}`)
  })
}

export async function publicRead(call: TokenCall): Promise<ExitCode> {
  const word = call.parameters[2] ?? ''
  if (word !== 'on' && word !== 'off') throw new UsageError(`Cannot run "edgemount token public": say on or off, not "${word}"`)
  return await withPlace(call, async (opened) => {
    const { volume } = opened.place
    await change(opened, (access) => ({ ...access, publicRead: word === 'on' }), call.terminal.signal)
    await say(call, { volume, publicRead: word === 'on' }, word === 'on' ? `Everybody may read "${volume}" now.` : `Only who has a token may read "${volume}" now.`)
  })
}

export async function showAccess(call: TokenCall): Promise<ExitCode> {
  return await withPlace(call, async (opened) => {
    const { access } = await read(opened, call.terminal.signal)
    const revoked = access.revoked.map(({ id, until }) => `  ${id} until ${new Date(until * 1000).toISOString()}`)
    const lines = [access.publicRead ? 'Everybody may read.' : 'Only who has a token may read.', revoked.length === 0 ? 'No token is revoked.' : 'Revoked:', ...revoked]
    await say(call, { volume: opened.place.volume, ...access }, lines.join('\n'))
  })
}

async function withPlace(call: TokenCall, work: (opened: OpenPlace) => Promise<void>): Promise<ExitCode> {
  const text = call.parameters[1] ?? ''
  const opened = await openPlace(text, openSettings(call))
  try {
    if (opened.place.path !== rootPath || opened.place.seq !== undefined) throw new UsageError(`Cannot use "${text}": who may read is said of a whole volume, <source>/<volume>`)
    // An edge says so itself, also to who may not read.
    if (!opened.place.source.startsWith('http')) await requireVolume(opened, call.terminal.signal)
    await work(opened)
    return exitCode.ok
  } finally {
    await opened.close()
  }
}

async function read({ store }: OpenPlace, signal: AbortSignal): Promise<{ access: VolumeAccess; etag: string | undefined }> {
  const found = await store.get(accessKey, { signal })
  return found === undefined ? { access: closedAccess, etag: undefined } : { access: decodeAccess(await found.bytes()), etag: found.etag }
}

async function change(opened: OpenPlace, edit: (access: VolumeAccess) => VolumeAccess, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const { access, etag } = await read(opened, signal)
    const bytes = encodeAccess(edit(access), nowSeconds())
    const isDone = etag === undefined ? await opened.store.create(accessKey, bytes, { signal }) : (await opened.store.replace(accessKey, bytes, etag, { signal })) !== undefined
    if (isDone) return
  }
  throw new EdgemountError('conflict', `Cannot change who may read "${opened.place.volume}": others change it all the time; try again`)
}

async function say({ settings, terminal }: TokenCall, value: object, line: string): Promise<void> {
  await terminal.output.write(settings.json ? jsonText(value, terminal.output) : `${line}\n`)
}

function nowSeconds(): number {
  return Math.floor(systemClock.now() / 1000)
}

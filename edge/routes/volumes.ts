/**
 * Volumes themselves: which there are, what one is, and making one.
 */
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { type ChunkingParameters, checkChunking } from '../../shared/chunker.ts'
import { type VolumeConfig, decodeVolumeConfig, encodeVolumeConfig } from '../../shared/format/commit.ts'
import { configKey } from '../../shared/volume/keys.ts'
import { probeStore } from '../../shared/volume/probe.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import type { VolumesMessage } from '../../shared/wire/messages.ts'
import { receiveBytes } from '../http/body.ts'
import { queryInteger, queryName } from '../http/query.ts'
import { refusalOfPosted } from '../http/refusal.ts'
import { respond, respondError, respondJson, revalidateCache } from '../http/respond.ts'
import { type Exchange, type Route, volumeNameOf } from '../route.ts'

const configBytesMax = 64 * 1024
const volumesLimitMax = 100

export const volumeRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1',
    needs: 'list',
    weight: 20,
    summary: 'The volumes of the store',
    parameters: [
      { name: 'after', in: 'query', text: 'Only names after this one' },
      { name: 'limit', in: 'query', text: `At most so many, 1 to ${volumesLimitMax}` },
    ],
    responses: { 200: 'A page of volumes' },
    handle: async ({ edge, query, signal }) => {
      const limit = queryInteger(query, 'limit', { min: 1, max: volumesLimitMax }) ?? volumesLimitMax
      const message: VolumesMessage = await edge.volumes.list(queryName(query, 'after'), limit, signal)
      return respondJson(200, message)
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}',
    needs: 'read',
    summary: 'What never changes about a volume: its volume.json',
    responses: { 200: 'volume.json, byte for byte', 404: 'No such volume' },
    handle: async ({ edge, parameters, signal }) => {
      const name = volumeNameOf(parameters)
      const found = await edge.volumes.scope(name).get(configKey, { signal })
      if (found === undefined) throw new EdgemountError('not-found', `Cannot open the volume "${name}": there is none`)
      const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': revalidateCache }
      return respond(200, headers, await found.bytes())
    },
  },
  {
    method: 'PUT',
    template: '/v1/{volume}',
    needs: 'admin',
    summary: 'Makes a volume: from a whole volume.json, or from {"chunking": …}, or from nothing',
    requestType: 'application/json',
    responses: { 201: 'Made', 400: 'The name or the body cannot be', 409: 'There is one', 501: 'The store cannot hold volumes' },
    handle: make,
  },
]

async function make({ edge, request, parameters, signal, base }: Exchange): Promise<Response> {
  const name = volumeNameOf(parameters)
  const body = await receiveBytes(request, configBytesMax, edge.clock)
  const store = edge.volumes.scope(name)
  const { clock, random, hash, log } = edge
  const asked = readAsked(body, name)
  if ('config' in asked) {
    if ((await store.get(configKey, { signal })) !== undefined) return taken(name)
    // The engine that sends it could not ask the store itself.
    await probeStore({ store, clock, random })
    if (!(await store.create(configKey, encodeVolumeConfig(asked.config), { signal }))) return taken(name)
  } else {
    try {
      await Volume.create({ store, clock, random, hash, log, author: 'edge' }, { name, chunking: asked.chunking })
    } catch (error) {
      if (codeOf(error) === 'conflict') return taken(name)
      throw error
    }
  }
  return respondJson(201, { name }, { 'cache-control': 'no-store', location: `${base}/v1/${name}` })
}

function taken(name: string): Response {
  return respondError(409, 'conflict', `Cannot create the volume "${name}": there is one`, {}, { reason: 'taken' })
}

/** A whole `volume.json` comes from an engine elsewhere, and must reach the store as it is. */
function readAsked(body: Uint8Array, name: string): { config: VolumeConfig } | { chunking: ChunkingParameters | undefined } {
  if (body.length === 0) return { chunking: undefined }
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    if (fieldOf(value, 'id') === undefined) return { chunking: readChunking(fieldOf(value, 'chunking')) }
    const config = decodeVolumeConfig(body)
    if (config.name !== name) throw new EdgemountError('invalid', `volume.json names it "${config.name}"`)
    return { config }
  } catch (error) {
    if (codeOf(error) === 'unsupported') throw refusalOfPosted(error, `create the volume "${name}"`)
    throw new EdgemountError('invalid', `Cannot create the volume "${name}": ${messageOf(error)}`, { cause: error })
  }
}

function readChunking(value: unknown): ChunkingParameters | undefined {
  if (value === undefined) return undefined
  const number = (field: string): number => {
    const found = fieldOf(value, field)
    if (typeof found === 'number') return found
    throw new EdgemountError('invalid', `its chunking has no number "${field}"`)
  }
  const kind = fieldOf(value, 'kind')
  if (kind !== 'content' && kind !== 'fixed') throw new EdgemountError('invalid', 'its chunking is neither "content" nor "fixed"')
  const chunking: ChunkingParameters =
    kind === 'fixed'
      ? { kind, bytes: number('bytes') }
      : { kind, minBytes: number('minBytes'), averageBytes: number('averageBytes'), maxBytes: number('maxBytes') }
  checkChunking(chunking)
  return chunking
}

/**
 * Peers: shims of a volume that others may ask for chunks. They say of themselves where they are; nobody believes more of it than that a request may be tried there.
 */
import { EdgemountError } from '../../shared/error.ts'
import { readPeer } from '../../shared/volume/peer.ts'
import { PeerTooSoon } from '../../shared/volume/peers.ts'
import type { PeerMessage, PeersMessage } from '../../shared/wire/messages.ts'
import { receiveJson } from '../http/json-body.ts'
import { respond, respondError, respondJson } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'

const requestBytesMax = 8192

export const peerRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/peers',
    needs: 'read',
    isNeverPublic: true,
    summary: 'The shims that may be asked for chunks, by id',
    responses: { 200: 'Those that are alive, as of the last seconds', 404: 'No such volume' },
    handle: async (exchange) => {
      const { peers } = await volumeOf(exchange)
      const message: PeersMessage = { items: await peers.list(exchange.signal) }
      return respondJson(200, message, { 'cache-control': 'no-store' })
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}/peers/{peer}',
    needs: 'read',
    isNeverPublic: true,
    summary: 'One peer',
    responses: { 200: 'It is alive', 404: 'No such volume, or it left or expired' },
    handle: async (exchange) => {
      const { peers } = await volumeOf(exchange)
      const id = idOf(exchange)
      const message: PeerMessage | undefined = await peers.get(id, exchange.signal)
      if (message === undefined) throw new EdgemountError('not-found', `Cannot find the peer "${id}": it left, or its time is over`)
      return respondJson(200, message, { 'cache-control': 'no-store' })
    },
  },
  {
    method: 'PUT',
    template: '/v1/{volume}/peers/{peer}',
    // Others connect to what it says, so not everybody who may read may say it.
    needs: 'publish',
    summary: 'Registers a peer, or refreshes it',
    requestType: 'application/json',
    responses: {
      200: 'It is listed for leftMs',
      400: 'urls (1 to 8, http or https, without credentials), and perhaps zone, cacheBytes and version',
      429: 'It says something else than less than six minutes ago, or the volume has too many',
    },
    handle: async (exchange) => {
      const { peers } = await volumeOf(exchange)
      const said = await receiveJson(exchange, { what: 'peer', bytesMax: requestBytesMax }, readPeer)
      try {
        const message: PeerMessage = await peers.put(idOf(exchange), said, exchange.signal)
        return respondJson(200, message, { 'cache-control': 'no-store' })
      } catch (error) {
        if (!(error instanceof PeerTooSoon)) throw error
        return respondError(429, error.code, error.message, { 'retry-after': String(error.waitSeconds) })
      }
    },
  },
  {
    method: 'DELETE',
    template: '/v1/{volume}/peers/{peer}',
    needs: 'publish',
    summary: 'A peer leaves',
    responses: { 204: 'It is gone, also when it never was', 404: 'No such volume' },
    handle: async (exchange) => {
      const { peers } = await volumeOf(exchange)
      await peers.remove(idOf(exchange), exchange.signal)
      return respond(204, { 'cache-control': 'no-store' })
    },
  },
]

/** An id needs no escapes, so one that has some is refused as it stands. */
function idOf({ parameters }: Exchange): string {
  return parameters['peer'] ?? ''
}

/**
 * Leases: who alone may do something. Decided by `shared/volume/lease.ts`, won in the store by compare-and-set and nowhere else.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { JsonFields } from '../../shared/format/json-fields.ts'
import type { LeaseRequest } from '../../shared/volume/lease.ts'
import { leaseMsMax, leaseMsMin } from '../../shared/volume/lease.ts'
import { type HeldLease, Leases } from '../../shared/volume/leases.ts'
import type { LeaseMessage } from '../../shared/wire/messages.ts'
import { receiveJson } from '../http/json-body.ts'
import { respondJson } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'

const requestBytesMax = 8192

export const leaseRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/leases/{lease}',
    needs: 'read',
    isNeverPublic: true,
    summary: 'A lease: whose it is, and at which epoch',
    responses: { 200: 'Held, or released', 404: 'No such volume, or nobody ever acquired it' },
    handle: async (exchange) => {
      const { signal } = exchange
      const [leases, name] = await leasesOf(exchange)
      const lease = await leases.read(name, signal)
      if (lease === undefined) throw new EdgemountError('not-found', `Cannot read the lease "${name}": there is none`)
      return respondJson(200, messageOf(lease), { 'cache-control': 'no-store' })
    },
  },
  {
    method: 'POST',
    template: '/v1/{volume}/leases/{lease}',
    needs: 'publish',
    summary: 'Acquires a lease, renews or releases it, or asks by a fence whether an epoch is the current one',
    requestType: 'application/json',
    responses: {
      200: 'Done: the lease',
      400: `action is acquire (holder, nonce, leaseMs), renew (holder, epoch, leaseMs), release (holder, epoch) or fence (epoch); leaseMs is ${leaseMsMin} to ${leaseMsMax}`,
      404: 'No such volume, or nobody ever acquired it',
      409: 'Somebody else holds it',
      412: 'The epoch is not the current one',
      429: 'The volume has too many leases',
    },
    handle: async (exchange) => {
      const { signal } = exchange
      const [leases, name] = await leasesOf(exchange)
      const asked = await receiveJson(exchange, { what: 'lease request', bytesMax: requestBytesMax }, readRequest)
      return respondJson(200, messageOf(await leases.ask(name, asked, signal)), { 'cache-control': 'no-store' })
    },
  },
]

async function leasesOf(exchange: Exchange): Promise<[leases: Leases, name: string]> {
  const { store } = await volumeOf(exchange)
  const { clock, random } = exchange.edge
  // A name needs no escapes, so one that has some is refused as it stands.
  return [new Leases({ store, clock, random }), exchange.parameters['lease'] ?? '']
}

/** Bounds are the state machine's. */
function readRequest(fields: JsonFields): LeaseRequest {
  const action = fields.string('action', 1, 16)
  const holder = (): string => fields.string('holder', 0, requestBytesMax)
  const epoch = (): number => fields.integer('epoch', 0)
  const leaseMs = (): number => fields.integer('leaseMs', 0)
  switch (action) {
    case 'acquire':
      return { action, holder: holder(), nonce: fields.string('nonce', 0, requestBytesMax), leaseMs: leaseMs() }
    case 'renew':
      return { action, holder: holder(), epoch: epoch(), leaseMs: leaseMs() }
    case 'release':
      return { action, holder: holder(), epoch: epoch() }
    case 'fence':
      return { action, epoch: epoch() }
    default:
      return fields.fail(`its action "${action}" is none of acquire, renew, release and fence`)
  }
}

/** Without the nonce: who knows it could be taken for the holder. */
function messageOf({ name, epoch, holder, leaseMs, leftMs, isReleased }: HeldLease): LeaseMessage {
  return { name, epoch, holder, isReleased, leaseMs, leftMs }
}

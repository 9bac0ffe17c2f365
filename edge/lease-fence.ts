/**
 * The fence before writes: who writes under a lease says so by `Edgemount-Lease: <name>;<epoch>`, and is refused when the epoch is not the current one. Called by the
 * routes that commit, last before they do.
 *
 * The look and the commit are two steps. A record that is posted names its slot, so one that was under way while the lease changed hands loses to the next holder's
 * first commit, or came before it. A file that is put may wait for others' commits after the look, and land behind them.
 */
import { EdgemountError, codeOf, messageOf } from '../shared/error.ts'
import { rootPath } from '../shared/path.ts'
import type { ObjectStore } from '../shared/store.ts'
import { Leases } from '../shared/volume/leases.ts'
import { respondError } from './http/respond.ts'
import type { Exchange, RouteParameter } from './route.ts'

const leaseHeader = 'Edgemount-Lease'

export const leaseParameter: RouteParameter = {
  name: leaseHeader,
  in: 'header',
  text: 'A lease and its epoch, as writer;7: only while the epoch is the current one',
}

/** The refusal of a write whose lease is another's by now, or undefined. */
export async function refuseLostLease({ request, edge, grant, signal }: Exchange, store: ObjectStore): Promise<Response | undefined> {
  const text = request.headers.get(leaseHeader)
  if (text === null) return undefined
  // What a lease is at, and whose, is not told to who may see only a part of the volume.
  if (grant.prefix !== rootPath) throw new EdgemountError('denied', `Cannot write under a lease: leases are of the whole volume, and the token reaches "${grant.prefix}" alone`)
  const [, name, epoch] = /^([^;]+); ?(\d{1,15})$/.exec(text) ?? []
  if (name === undefined) throw new EdgemountError('invalid', `Cannot read ${leaseHeader} "${text}": it must be the lease's name, ";" and the epoch, for example writer;7`)
  try {
    await new Leases({ store, clock: edge.clock, random: edge.random }).ask(name, { action: 'fence', epoch: Number(epoch) }, signal)
    return undefined
  } catch (error) {
    if (!['stale', 'not-found'].includes(codeOf(error))) throw error
    return respondError(409, 'conflict', `Cannot write under the lease "${name}" at epoch ${epoch}: ${messageOf(error).replace(/^Cannot [^:]*: /, '')}`, {}, { reason: 'lease' })
  }
}

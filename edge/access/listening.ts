/**
 * Whether an edge may listen where it is told to: an address that others reach needs a secret, or somebody who says that everybody may. Called by the servers of each
 * runtime before they listen.
 */
import { EdgemountError } from '../../shared/error.ts'
import { type KeyRing, makeSecretHint } from '../../shared/wire/key-ring.ts'
import { isLoopback } from '../http/host.ts'

export function refuseOpenListening(host: string, keys: KeyRing | undefined, isOpen: boolean): void {
  if (keys !== undefined || isOpen || isLoopback(host)) return
  throw new EdgemountError(
    'denied',
    `Cannot listen on "${host}" without a secret: whoever reaches it could read and write everything. Set EDGEMOUNT_SECRETS=<key id>:<secret> (${makeSecretHint}), listen on 127.0.0.1, or say --open if that is what you want`,
  )
}

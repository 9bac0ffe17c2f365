/**
 * The secrets of this machine's edges, from the environment and nowhere else: a flag would show them to everybody who lists processes.
 */
import { type KeyRing, parseKeyRing } from '../../shared/wire/key-ring.ts'
import type { Terminal } from './terminal.ts'

/** Undefined when none is set. Throws `invalid` for one that is no good secret. */
export function keysOf({ environment }: Pick<Terminal, 'environment'>): KeyRing | undefined {
  return parseKeyRing({ EDGEMOUNT_SECRETS: environment['EDGEMOUNT_SECRETS'], EDGEMOUNT_SECRET: environment['EDGEMOUNT_SECRET'] })
}

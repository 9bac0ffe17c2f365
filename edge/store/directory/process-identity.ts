/**
 * Who made a lock or a temporary file, and whether that process can still be at work.
 *
 * A pid alone says little: it is used again, and it means another process in another container. So an identity is the pid, the time at which
 * the process started, and its scope: the boot of the kernel and the pid namespace. Only within one scope can death be known for certain.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import process from 'node:process'

export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot (proc(5), /proc/pid/stat field 22); '0' where there is no /proc. */
  readonly started: string
  readonly scope: string
}

/** `unknown`: it lives in another scope (container, boot, host), or this system cannot tell. */
export type ProcessState = 'alive' | 'gone' | 'unknown'

export function currentProcess(): ProcessIdentity {
  return { pid: process.pid, started: lookUp(process.pid)?.started ?? '0', scope: currentScope() }
}

/** As text for file names: digits, letters and dashes. */
export function formatIdentity(identity: ProcessIdentity): string {
  return `${identity.pid}-${identity.started}-${identity.scope}`
}

export function parseIdentity(text: string): ProcessIdentity | undefined {
  const match = /^(\d+)-(\d+)-([0-9a-f]+)$/.exec(text)
  return match === null ? undefined : { pid: Number(match[1]), started: match[2]!, scope: match[3]! }
}

/** The state of `identity` as seen from the process `self`. */
export function stateOfProcess(identity: ProcessIdentity, self: ProcessIdentity): ProcessState {
  if (identity.scope !== self.scope) return 'unknown'
  if (identity.pid === self.pid) return identity.started === self.started ? 'alive' : 'gone'
  try {
    process.kill(identity.pid, 0)
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ESRCH'
    if (isGone) return 'gone'
  }
  const found = lookUp(identity.pid)
  if (found === undefined || identity.started === '0') return 'unknown'
  return found.started === identity.started && !found.isZombie ? 'alive' : 'gone'
}

/** A zombie does nothing any more, but keeps its pid until its parent asks for it, which may be never. */
function lookUp(pid: number): { readonly started: string; readonly isZombie: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { started: fields[19]!, isZombie: fields[0] === 'Z' || fields[0] === 'X' }
  } catch {
    return undefined
  }
}

function currentScope(): string {
  let scope = hostname()
  try {
    scope = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1') + readlinkSync('/proc/self/ns/pid')
  } catch {
    // No /proc: the host's name is all there is.
  }
  return createHash('sha256').update(scope).digest('hex').slice(0, 12)
}

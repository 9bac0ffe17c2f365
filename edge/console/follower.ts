/**
 * Keeps a volume at its newest commit while it is shown: by the edge's events, and by asking now and then where those do not come. Called by `shell.ts`.
 */
import type { BrowserVolume, Change } from '../browser/volume.ts'
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'

/** `asking`: events do not come, changes show later. */
export type FollowState = 'live' | 'asking' | 'away'

const askMs = 20_000
/** Streams end now and then, and come back at once. */
const graceMs = 3000
/** `stale`: commits are gone that were not told of; what is asked for next is the newest. */
const passing = new Set(['unavailable', 'stale'])

export interface FollowerParts {
  readonly volume: Pick<BrowserVolume, 'follow' | 'refresh' | 'isOffline'>
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onChange: (change: Change | undefined) => void
  readonly onState: (state: FollowState) => void
}

/** Never rejects; ends with the signal. */
export async function follow(parts: FollowerParts): Promise<void> {
  const { volume, signal, onState } = parts
  let asking = new AbortController()
  const ask = (): Promise<void> => {
    asking = new AbortController()
    return askWhile(parts, AbortSignal.any([signal, asking.signal]))
  }
  const onConnected = (isConnected: boolean): void => {
    asking.abort()
    if (!isConnected) return void ask()
    onState('live')
    // The page may have begun with what was seen last.
    if (volume.isOffline) void look(parts, signal)
  }
  onState(volume.isOffline ? 'away' : 'asking')
  void ask()
  await followEvents(parts, onConnected)
}

/** Until the signal fires, or another try would give the same answer: who may not have events may still ask. */
async function followEvents({ volume, clock, signal, onChange }: FollowerParts, onConnected: (isConnected: boolean) => void): Promise<void> {
  while (!signal.aborted) {
    try {
      await volume.follow(onChange, { signal, onConnected })
    } catch (error) {
      if (!passing.has(codeOf(error))) return
    }
    await clock.sleep(askMs, signal).catch(() => undefined)
  }
}

/** While events do not come. */
async function askWhile(parts: FollowerParts, signal: AbortSignal): Promise<void> {
  const { clock, onState } = parts
  try {
    await clock.sleep(graceMs, signal)
    while (!signal.aborted) {
      const state = await look(parts, signal)
      if (!signal.aborted) onState(state)
      await clock.sleep(askMs, signal)
    }
  } catch {
    // Events come again, or the page shows something else.
  }
}

async function look({ volume, onChange }: FollowerParts, signal: AbortSignal): Promise<FollowState> {
  try {
    if (await volume.refresh({ signal })) onChange(undefined)
    return volume.isOffline ? 'away' : 'asking'
  } catch (error) {
    return codeOf(error) === 'unavailable' ? 'away' : 'asking'
  }
}

/**
 * Keeps a volume at its newest commit while it is shown: by the edge's events, and by asking now and then where those do not come. Called by `shell.ts`.
 */
import type { BrowserVolume, Change } from '../browser/volume.ts'
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'

/** `asking`: events do not come, changes show later. */
export type FollowState = 'live' | 'asking' | 'away'

const askMs = 20_000

export interface FollowerParts {
  readonly volume: BrowserVolume
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onChange: (change: Change | undefined) => void
  readonly onState: (state: FollowState) => void
}

/** Never rejects; ends with the signal. */
export async function follow({ volume, clock, signal, onChange, onState }: FollowerParts): Promise<void> {
  onState('live')
  try {
    await volume.follow(onChange, { signal })
  } catch {
    // Whoever may not have events may still ask.
  }
  while (!signal.aborted) {
    try {
      await clock.sleep(askMs, signal)
      if (await volume.refresh({ signal })) onChange(undefined)
      onState(volume.isOffline ? 'away' : 'asking')
    } catch (error) {
      if (!signal.aborted) onState(codeOf(error) === 'unavailable' ? 'away' : 'asking')
    }
  }
}

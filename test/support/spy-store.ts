/** A store that notes its calls, and answers them by a script while there is one. */
import { type StoreCall, aroundCalls } from '../../edge/store/around.ts'
import { abortError } from '../../shared/abort.ts'
import { EdgemountError, type ErrorCode } from '../../shared/error.ts'
import type { ObjectStore } from '../../shared/store.ts'

/** `ok` lets a call through, a code fails it before it reaches the store, `hang` never answers until its signal fires. */
export type SpyAnswer = 'ok' | 'hang' | ErrorCode

export interface SpyStore {
  readonly store: ObjectStore
  /** `<operation> <key>`, in order. */
  readonly calls: string[]
  /** Answers for the next calls, first to last. */
  readonly script: SpyAnswer[]
}

export function spyStore(inner: ObjectStore): SpyStore {
  const calls: string[] = []
  const script: SpyAnswer[] = []
  const note = async (call: StoreCall): Promise<void> => {
    calls.push(`${call.operation} ${call.key}`)
    const answer = script.shift() ?? 'ok'
    if (answer === 'ok') return
    if (answer === 'hang') await untilFired(call.signal)
    else throw new EdgemountError(answer, `Cannot ${call.operation}: scripted`)
  }
  const store = aroundCalls(inner, async (call, run) => {
    await note(call)
    return run(call.signal)
  })
  return { store, calls, script }
}

function untilFired(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(abortError(signal)))
  })
}

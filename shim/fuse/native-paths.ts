/**
 * Asks a `Handler` by path. libfuse 2 knows files by path only, so each request walks from the root, one lookup a name, and forgets what it
 * looked up.
 */
import { errno } from '../../shared/error.ts'
import { Deferred } from './handler.ts'
import type { Answer, Caller, Handler, NodeId } from './handler.ts'

const rootId: NodeId = 1

export class PathWalker {
  readonly #handler: Handler
  readonly #caller: Caller

  constructor(handler: Handler, caller: Caller) {
    this.#handler = handler
    this.#caller = caller
  }

  /** Finds a node, asks about it, forgets it, and tells the answer or a negative errno. `ask` may throw (EIO). */
  ask<T>(path: string, ask: (nodeId: NodeId) => Answer<T>, tell: (answer: T | number) => void): void {
    this.askAndKeep(path, ask, (answer, nodeId) => {
      if (typeof answer !== 'number') this.forget(nodeId)
      tell(answer)
    })
  }

  /** As `ask`, but when the answer is a value, the caller has to forget the node, once. */
  askAndKeep<T>(path: string, ask: (nodeId: NodeId) => Answer<T>, tell: (answer: T | number, nodeId: NodeId) => void): void {
    const names = path.split('/').filter((name) => name !== '')
    this.#walk(rootId, names, 0, (nodeId) => {
      if (nodeId < 0) {
        tell(nodeId, 0)
        return
      }
      settle(
        () => ask(nodeId),
        (answer) => {
          if (typeof answer === 'number') this.forget(nodeId)
          tell(answer, nodeId)
        },
      )
    })
  }

  /** The root is never looked up, and so never forgotten. */
  forget(nodeId: NodeId): void {
    if (nodeId !== rootId) this.#handler.forget(nodeId, 1)
  }

  /** Holds one lookup of the node it ends at, and none of those on the way. */
  #walk(nodeId: NodeId, names: readonly string[], index: number, found: (nodeId: NodeId) => void): void {
    const name = names[index]
    if (name === undefined) {
      found(nodeId)
      return
    }
    settle(
      () => this.#handler.lookup(nodeId, name, this.#caller),
      (answer) => {
        this.forget(nodeId)
        if (typeof answer === 'number') found(answer)
        else if (answer.nodeId === 0) found(-errno.ENOENT)
        else this.#walk(answer.nodeId, names, index + 1, found)
      },
    )
  }
}

/** Calls `tell` once with what the handler answers, now or later. */
export function settle<T>(ask: () => Answer<T>, tell: (answer: T | number) => void): void {
  let answer: Answer<T>
  try {
    answer = ask()
  } catch {
    answer = -errno.EIO
  }
  if (answer instanceof Deferred) answer.listen(tell)
  else tell(answer)
}

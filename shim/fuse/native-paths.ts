/**
 * Asks a `Handler` by path. libfuse 2 knows files by path only, so each request walks from the root, one lookup a name, and forgets what it
 * looked up: not before it is answered, as the kernel holds a file's directories for as long as it holds the file.
 */
import { errno } from '../../shared/errno.ts'
import { Deferred } from './handler.ts'
import type { Answer, Caller, Handler, NodeId } from './handler.ts'

const rootId: NodeId = 1
/** Any value: that a path leads somewhere is all that counts. */
const found: object = {}

/** A node and the directories on its path, each looked up once. To be given back to `forget`. */
export interface Held {
  readonly nodeId: NodeId
  /** From the top; the node is the last, and the root is not in it. */
  readonly lookups: readonly NodeId[]
}

export class PathWalker {
  readonly #handler: Handler
  readonly #caller: Caller

  constructor(handler: Handler, caller: Caller) {
    this.#handler = handler
    this.#caller = caller
  }

  /** Finds a node, asks about it, tells the answer or a negative errno, and forgets the node. `ask` may throw (EIO). */
  ask<T>(path: string, ask: (nodeId: NodeId) => Answer<T>, tell: (answer: T | number) => void): void {
    this.askAndKeep(path, ask, (answer, held) => {
      tell(answer)
      if (typeof answer !== 'number') this.forget(held)
    })
  }

  /** As `ask`, about two nodes at once, which are both held until it is answered. */
  askTwo<T>(path: string, otherPath: string, ask: (nodeId: NodeId, otherId: NodeId) => Answer<T>, tell: (answer: T | number) => void): void {
    this.askAndKeep(
      path,
      () => found,
      (first, held) => {
        if (typeof first === 'number') tell(first)
        else {
          this.ask(
            otherPath,
            (otherId) => ask(held.nodeId, otherId),
            (answer) => {
              tell(answer)
              this.forget(held)
            },
          )
        }
      },
    )
  }

  /** As `ask`, but when the answer is a value, the caller has to forget what is held, once. */
  askAndKeep<T>(path: string, ask: (nodeId: NodeId) => Answer<T>, tell: (answer: T | number, held: Held) => void): void {
    const names = path.split('/').filter((name) => name !== '')
    this.#walk(names, { nodeId: rootId, lookups: [] }, (code, held) => {
      if (code < 0) {
        tell(code, held)
        this.forget(held)
        return
      }
      settle(
        () => ask(held.nodeId),
        (answer) => {
          tell(answer, held)
          if (typeof answer === 'number') this.forget(held)
        },
      )
    })
  }

  /** The root is never looked up, and so never forgotten. */
  forget({ lookups }: Held): void {
    for (const nodeId of lookups.toReversed()) this.#handler.forget(nodeId, 1)
  }

  /** `end` gets what is held also when a name on the way is not there. */
  #walk(names: readonly string[], held: Held, end: (code: number, held: Held) => void): void {
    const name = names[held.lookups.length]
    if (name === undefined) {
      end(0, held)
      return
    }
    settle(
      () => this.#handler.lookup(held.nodeId, name, this.#caller),
      (answer) => {
        if (typeof answer === 'number') end(answer, held)
        else if (answer.nodeId === 0) end(-errno.ENOENT, held)
        else this.#walk(names, { nodeId: answer.nodeId, lookups: [...held.lookups, answer.nodeId] }, end)
      },
    )
  }
}

/** Calls `tell` once with what the handler answers, now or later. */
export function settle<T>(ask: () => Answer<T>, tell: (answer: T | number, isLate: boolean) => void): void {
  let answer: Answer<T>
  try {
    answer = ask()
  } catch {
    answer = -errno.EIO
  }
  if (answer instanceof Deferred) answer.listen((late) => tell(late, true))
  else tell(answer, false)
}

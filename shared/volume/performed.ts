/**
 * What a commit tells that it did, collected: a commit of any size holds a bounded list, because more than a record may tell is told in short at once.
 */
import { type CommitOperation, operationsMax, planOperations } from '../format/commit-operation.ts'

export class Performed {
  #operations: CommitOperation[] = []

  get operations(): readonly CommitOperation[] {
    return this.#operations
  }

  tell(operation: CommitOperation): void {
    this.#operations.push(operation)
    if (this.#operations.length <= operationsMax) return
    const plan = planOperations(this.#operations)
    if ('inline' in plan) this.#operations = [...plan.inline]
  }
}

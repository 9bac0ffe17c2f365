/**
 * Gives back bodies that stayed after they were published because somebody had the file open or mapped, and the bodies of files that were opened for writing
 * and never written.
 */
import { encodeEntry } from '../../shared/format/entry-codec.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { BodyUses } from './body-uses.ts'
import type { ChangeState, NodeState } from './change-state.ts'
import type { ChangedBody, Edit } from './edit.ts'
import type { SettledNode } from './outbox.ts'

/** Each takes a look at the backing file and a lease: some 10 µs. */
export function releaseClean<Body extends ChangedBody>(
  state: ChangeState<Body>,
  uses: BodyUses<Body>,
  limit: number,
  id: FileId | undefined,
  apply: (edit: Edit<Body>) => number,
): SettledNode<Body>[] {
  const found: NodeState<Body>[] = []
  for (const node of id === undefined ? state.nodes.values() : oneOf(state, id)) {
    if (found.length >= limit) break
    if (isReleasable(node, uses)) found.push(node)
  }
  const released = found.map(({ entry, contentSize, body }) => ({ entry: { ...entry, size: contentSize }, body }))
  if (released.length === 0 || apply({ nodes: released.map(({ entry }) => ({ entry, base: undefined, body: null })) }) < 0) return []
  return released.map(({ entry, body }) => ({ id: entry.id, keptId: entry.id, bytes: encodeEntry(entry), body }))
}

function oneOf<Body>(state: ChangeState<Body>, id: FileId): NodeState<Body>[] {
  const node = state.nodes.get(id)
  return node === undefined ? [] : [node]
}

/** What is out in a batch is settled first. */
function isReleasable<Body extends ChangedBody>(node: NodeState<Body>, uses: BodyUses<Body>): boolean {
  const { body, taken, published, entry } = node
  if (body === undefined || published === undefined || taken !== undefined || entry.linkCount === 0) return false
  uses.noteFree(entry.id)
  if (uses.isOpen(entry.id)) return false
  // First who has it, then what it holds: in the other order somebody could write between the two.
  if (body.isAlone) return body.isAt(published)
  uses.noteHeld(entry.id)
  return false
}

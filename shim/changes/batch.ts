/**
 * The batch for the publisher, made of the state at one moment.
 */
import { encodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { ChangeSet, NameChange, NodeChange, Place } from '../../shared/volume/change-set.ts'
import type { ChangeState, NodeState } from './change-state.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import type { ChangedBody } from './edit.ts'
import { areSameEntries } from './entry-merge.ts'
import { Labels } from './labels.ts'
import type { BatchBody, UnseenBody } from './publishing.ts'
import { hasMovedNames, movedIds } from './taking.ts'

/** What is asked of bodies while a batch is made. */
export interface BodyLooks<Body> {
  /** A negative errno: its backing file cannot be looked at. */
  stampOf(body: Body): BodyStamp | number
  /** It is open for writing, or was mapped when it was last looked at. */
  isOpen(id: FileId): boolean
  /** Nobody has it open for writing, or mapped, at this moment; a mapping is noted. */
  isAlone(id: FileId, body: Body): boolean
  /** Somebody has the backing file open or mapped. */
  noteHeld(id: FileId): void
  /** It is open for writing, and was tried too short a time ago to be read again now. */
  isLeftOut(id: FileId): boolean
}

export interface MadeBatch<Body> {
  readonly changes: ChangeSet
  readonly bodies: readonly BatchBody[]
  /** The bodies of `bodies`, by file id, and how they were. */
  readonly taken: ReadonlyMap<FileId, TakenBody<Body>>
  readonly unseen: readonly UnseenBody[]
}

export interface TakenBody<Body> {
  readonly body: Body
  readonly stamp: BodyStamp
  /** The publisher makes its pages clean before it reads: what is stored into them later shows in the modification time. */
  readonly isOpen: boolean
}

export function makeBatch<Body extends ChangedBody>(state: ChangeState<Body>, looks: BodyLooks<Body>): MadeBatch<Body> {
  const labels = new Labels(state)
  // The oldest snapshot that a change was made from may not have them, so that the batch has to say what they are.
  const moved = movedIds(state)
  const nodes: NodeChange[] = []
  const bodies: BatchBody[] = []
  const taken = new Map<FileId, TakenBody<Body>>()
  const unseen: UnseenBody[] = []
  for (const node of state.nodes.values()) {
    const { id, linkCount } = node.entry
    if (linkCount === 0) {
      if (node.base !== undefined) nodes.push({ id, before: node.base, after: undefined })
      continue
    }
    const dirty = dirtyBodyOf(node, looks)
    const after = publishable(node)
    if (typeof dirty === 'number') unseen.push({ id, label: labels.of(id), size: node.entry.size, result: dirty })
    const isAsBefore = typeof dirty !== 'object' && node.base !== undefined && areSameEntries(after, node.base)
    if (isAsBefore && !moved.has(id) && !hasMovedNames(state, id)) continue
    nodes.push({ id, before: node.base, after })
    if (typeof dirty !== 'object') continue
    bodies.push(bodyOf(node, dirty, labels.of(id)))
    taken.set(id, dirty)
  }
  return { changes: { names: namesOf(state, new Set(nodes.map(({ id }) => id))), nodes, places: placesOf(state) }, bodies, taken, unseen }
}

/** A body whose content is to be published; a negative errno when the disk does not say how it stands. */
function dirtyBodyOf<Body extends ChangedBody>(node: NodeState<Body>, looks: BodyLooks<Body>): TakenBody<Body> | number | undefined {
  const { body, published, entry } = node
  if (body === undefined || looks.isLeftOut(entry.id)) return undefined
  if (published !== undefined && body.isAt(published)) return undefined
  // First who has it, then how it stands: a mapping holds no handle, and what is stored through it between the two would be of neither.
  const isOpen = !looks.isAlone(entry.id, body)
  const stamp = looks.stampOf(body)
  return typeof stamp === 'number' ? stamp : { body, stamp, isOpen }
}

/** INVARIANT: size and content of an entry in a batch belong together. */
function publishable<Body>(node: NodeState<Body>): Entry {
  const { entry, contentSize } = node
  return entry.size === contentSize ? entry : { ...entry, size: contentSize }
}

function bodyOf<Body extends ChangedBody>(node: NodeState<Body>, { body, stamp: { generation, size, mtime }, isOpen }: TakenBody<Body>, label: string): BatchBody {
  const previous = node.base?.content
  return {
    id: node.entry.id,
    path: body.path,
    label,
    size,
    generation,
    mtime,
    base: body.base === undefined ? undefined : { manifest: encodeManifestRoot(body.base.root), length: body.base.length },
    written: body.base === undefined ? undefined : [...body.writtenEdges],
    previous: previous?.kind === 'manifest' ? encodeManifestRoot(previous.root) : undefined,
    isOpen,
  }
}

/** Names that lead elsewhere, and those that say where an inode of the batch stands. */
function namesOf<Body>(state: ChangeState<Body>, nodes: ReadonlySet<FileId>): NameChange[] {
  const changes: NameChange[] = []
  for (const [directoryId, names] of state.directories) {
    for (const { name, to, base } of names.all()) {
      if (to?.id === base?.id && (to === undefined || !nodes.has(to.id))) continue
      changes.push({ directoryId, name, before: base?.id, after: to?.id })
    }
  }
  return changes
}

function placesOf<Body>(state: ChangeState<Body>): Place[] {
  return [...state.usedPlaces().values()]
}

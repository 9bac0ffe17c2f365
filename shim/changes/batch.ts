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
import type { BatchBody } from './publishing.ts'

/** What is asked of bodies while a batch is made. */
export interface BodyLooks<Body> {
  /** Undefined: its backing file cannot be looked at. */
  stampOf(body: Body): BodyStamp | undefined
  /** It is open for writing, or was mapped when it was last looked at. */
  isOpen(id: FileId): boolean
  /** Nobody has it open for writing, or mapped, at this moment; noted either way. */
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
}

export interface TakenBody<Body> {
  readonly body: Body
  readonly stamp: BodyStamp
  /** The publisher makes its pages clean before it reads: what is stored into them later shows in the modification time. */
  readonly isOpen: boolean
}

export function makeBatch<Body extends ChangedBody>(state: ChangeState<Body>, looks: BodyLooks<Body>): MadeBatch<Body> {
  const labels = new Labels(state)
  const nodes: NodeChange[] = []
  const bodies: BatchBody[] = []
  const taken = new Map<FileId, TakenBody<Body>>()
  for (const node of state.nodes.values()) {
    const { id, linkCount } = node.entry
    if (linkCount === 0) {
      if (node.base !== undefined) nodes.push({ id, before: node.base, after: undefined })
      continue
    }
    const stamp = dirtyStampOf(node, looks)
    const after = publishable(node)
    if (stamp === undefined && node.base !== undefined && areSameEntries(after, node.base)) continue
    nodes.push({ id, before: node.base, after })
    if (stamp === undefined || node.body === undefined) continue
    const isOpen = looks.isOpen(id)
    bodies.push(bodyOf(node, node.body, stamp, labels.of(id), isOpen))
    taken.set(id, { body: node.body, stamp, isOpen })
  }
  return { changes: { names: namesOf(state, new Set(nodes.map(({ id }) => id))), nodes, places: placesOf(state) }, bodies, taken }
}

/** Of a body whose content is to be published. */
function dirtyStampOf<Body extends ChangedBody>(node: NodeState<Body>, looks: BodyLooks<Body>): BodyStamp | undefined {
  const { body, published } = node
  if (body === undefined || looks.isLeftOut(node.entry.id)) return undefined
  const stamp = looks.stampOf(body)
  return stamp !== undefined && published !== undefined && areSameStamps(stamp, published) ? undefined : stamp
}

/** INVARIANT: size and content of an entry in a batch belong together. */
function publishable<Body>(node: NodeState<Body>): Entry {
  const { entry, contentSize } = node
  return entry.size === contentSize ? entry : { ...entry, size: contentSize }
}

function bodyOf<Body extends ChangedBody>(node: NodeState<Body>, body: Body, { generation, size, mtime }: BodyStamp, label: string, isOpen: boolean): BatchBody {
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

export function areSameStamps(a: BodyStamp, b: BodyStamp): boolean {
  return a.generation === b.generation && a.size === b.size && a.mtime.seconds === b.mtime.seconds && a.mtime.nanoseconds === b.mtime.nanoseconds
}

/**
 * Carries a plan out on the overlay that it was made for: names, entries, counts and links. Synchronous, once, when everything is decided.
 */
import { linkEntry } from '../format/entry-codec.ts'
import type { Entry, FileId } from '../format/entry.ts'
import type { FileState } from './change-ground.ts'
import type { ChangePlan } from './change-plan.ts'
import { areSameAttributes, areSameXattrs, isSameEntry, laterTimes, mergeEntry } from './entry-merge.ts'
import { DirectoryNode, type Found, type Overlay } from './overlay.ts'

/** True when something changed. */
export function applyPlan(plan: ChangePlan): boolean {
  const { overlay } = plan.ground
  let isChanged = false
  for (const state of plan.ground.files()) if (applyFile(overlay, state)) isChanged = true
  for (const slot of plan.ground.slots()) {
    const { directory, name, put, held } = slot
    if (put !== undefined) overlay.put(directory, name, put instanceof DirectoryNode ? put : nameOf(put), held)
    else if (slot.isVacated) overlay.remove(directory, name, held!)
    else continue
    isChanged = true
  }
  for (const [node, entry] of directoryEntries(plan)) {
    node.entry = entry
    node.markDirty()
    isChanged = true
  }
  return isChanged
}

/** The whole entry of a file in the end; undefined when no name leads to it. */
export function finalEntry(state: FileState): Entry | undefined {
  const entry = state.entry ?? state.held
  return entry === undefined || state.nameCount === 0 ? undefined : { ...entry, linkCount: state.nameCount }
}

/** Directories whose attributes become others. */
export function directoryEntries(plan: ChangePlan): ReadonlyMap<DirectoryNode, Entry> {
  const entries = new Map<DirectoryNode, Entry>()
  for (const { id, before, after } of plan.index.set.nodes) {
    if (after?.kind !== 'directory') continue
    const node = plan.nodeOf(id)
    if (node === undefined) continue
    const { entry: theirs } = entries.has(node) ? { entry: entries.get(node)! } : node
    const isMerged = plan.merged.has(id)
    const entry = isMerged || theirs.id !== id ? laterTimes(after, theirs) : mergeEntry(before, after, theirs).entry
    if (!areSameAttributes(entry, node.entry) || !areSameXattrs(entry.xattrs, node.entry.xattrs)) entries.set(node, entry)
  }
  return entries
}

/** What becomes of a file where it is; its new names are put by their slots. */
function applyFile(overlay: Overlay, state: FileState): boolean {
  const { held, place, isLink, id } = state
  if (state.puts.length + state.vacated.length === 0 && state.entry === undefined) return false
  const entry = finalEntry(state)
  if (entry === undefined) {
    const isGone = isLink && held !== undefined
    if (isGone) overlay.setInode(id, null)
    return isGone
  }
  const isKept = held !== undefined && isSameEntry(entry, held)
  if (standsInInodeTree(state) && !(isLink && isKept)) overlay.setInode(entry.id, entry)
  if (place !== undefined && !place.isVacated && !isKept) overlay.put(place.directory, place.name, nameOf(state), place.held)
  return !isKept
}

function standsInInodeTree(state: FileState): boolean {
  return state.isLink || state.nameCount > 1
}

function nameOf(state: FileState): Found {
  const entry = finalEntry(state)!
  return standsInInodeTree(state) ? linkEntry(entry.kind, entry.id) : entry
}

/** What the nodes of the set are after the commit. Call it when the overlay was flushed: directories have their trees then. */
export function committedNodes(plan: ChangePlan): { readonly id: FileId; readonly entry: Entry }[] {
  const nodes: { id: FileId; entry: Entry }[] = []
  for (const { id, after } of plan.index.set.nodes) {
    if (after === undefined) continue
    const entry = after.kind === 'directory' ? plan.nodeOf(id)?.entry : (plan.copies.get(id) ?? plan.merged.get(id) ?? finalOf(plan, id))
    if (entry !== undefined) nodes.push({ id: entry.id, entry })
  }
  return nodes
}

function finalOf(plan: ChangePlan, id: FileId): Entry | undefined {
  const state = plan.ground.known(id)
  return state === undefined ? undefined : finalEntry(state)
}

/**
 * What a plan has overlooked: things that have to stay although we took them away, and directories that would lie in themselves. Asked by `commit-changes.ts` of
 * each plan; the next one heeds it.
 */
import { EdgemountError } from '../error.ts'
import type { FileId } from '../format/entry.ts'
import type { ChangePlan } from './change-plan.ts'
import { isSameBody } from './entry-merge.ts'
import type { DirectoryNode } from './overlay.ts'

/** What the next plan has to heed beyond what this one did; nothing: this one is good. */
export interface PlanFaults {
  readonly kept: readonly FileId[]
  readonly lifted: readonly FileId[]
}

/** What has to stay although we took it away: changed files, directories that are not empty, and moves that make a ring. */
export async function faultsOf(plan: ChangePlan): Promise<PlanFaults> {
  const rings = ringsOf(plan)
  return { kept: [...(await filesToKeep(plan)), ...directoriesToKeep(plan), ...rings.kept], lifted: rings.lifted }
}

async function filesToKeep({ ground, index }: ChangePlan): Promise<FileId[]> {
  const kept: FileId[] = []
  for (const state of ground.files()) {
    if (state.vacated.length === 0 || state.nameCount > 0 || state.held === undefined) continue
    const node = index.nodes.get(state.id)
    const before = await index.entryBefore(state.id)
    const isEdited = before !== undefined && !isSameBody(before, state.held)
    if (isEdited || node?.after !== undefined) kept.push(state.id)
  }
  return kept
}

function directoriesToKeep({ ground, placed, vacated }: ChangePlan): FileId[] {
  const counts = new Map<DirectoryNode, number>()
  const count = (node: DirectoryNode, change: number): void => void counts.set(node, (counts.get(node) ?? 0) + change)
  for (const slot of ground.slots()) {
    if (slot.put !== undefined && slot.held !== undefined && !slot.isVacated) {
      throw new EdgemountError('internal', `Cannot commit changes: "${slot.name}" would be lost under what is put in its place`)
    }
    if (slot.put !== undefined && slot.held === undefined) count(slot.directory, 1)
    if (slot.isVacated && slot.put === undefined) count(slot.directory, -1)
  }
  const kept: FileId[] = []
  // Deepest first: a directory that stays keeps the one that it is in.
  const taken = Array.from(vacated, ([node, slot]) => ({ node, slot, depth: depthOf(node) }))
  const removed = taken.filter(({ node, slot }) => slot.isVacated && !placed.has(node)).toSorted((a, b) => b.depth - a.depth)
  for (const { node, slot } of removed) {
    if (node.entryCount + (counts.get(node) ?? 0) === 0) continue
    kept.push(node.entry.id)
    if (slot.put === undefined) count(slot.directory, 1)
  }
  return kept
}

/** Directories whose moves, with theirs, put them within themselves. */
function ringsOf(plan: ChangePlan): PlanFaults {
  const kept = new Set<FileId>()
  const lifted = new Set<FileId>()
  const isSound = new Set<DirectoryNode>()
  for (const start of plan.placed.keys()) {
    const path = new Set<DirectoryNode>()
    let node: DirectoryNode | undefined = start
    while (node !== undefined && !isSound.has(node) && !path.has(node)) {
      path.add(node)
      node = plan.parentOf(node)
    }
    if (node !== undefined && path.has(node)) {
      const placed = ringFrom(plan, node).filter((each) => plan.placed.has(each))
      const moved = placed.filter((each) => each.parent !== undefined)
      for (const each of moved) kept.add(each.entry.id)
      // None of them is anywhere in the head.
      if (moved.length === 0) lifted.add(idOf(plan, placed[0]!))
    }
    for (const each of path) isSound.add(each)
  }
  return { kept: [...kept], lifted: [...lifted] }
}

/** By which we know a directory. */
function idOf({ made }: ChangePlan, node: DirectoryNode): FileId {
  for (const [id, each] of made) if (each === node) return id
  return node.entry.id
}

function ringFrom(plan: ChangePlan, start: DirectoryNode): DirectoryNode[] {
  const ring = [start]
  for (let node = plan.parentOf(start); node !== undefined && node !== start; node = plan.parentOf(node)) ring.push(node)
  return ring
}

function depthOf(node: DirectoryNode): number {
  let depth = 0
  for (let each = node.parent; each !== undefined; each = each.parent) depth += 1
  return depth
}

/**
 * Learns that the files of a directory are opened in their order (cp, tar, grep, diff -r, a build), and says how many of the next ones to
 * fetch ahead. Pure: no I/O, no clock.
 *
 * The file system shows it each first open of a file, lists what it is told to, fetches those that are small, and says how far it came. A
 * walk that has proved itself in one directory is believed in the next from its first open on.
 */
import { compareNames } from '../../shared/name.ts'

export interface SiblingPlan {
  /** Continue the listing after this name. */
  readonly after: string
  /** How many files to take. */
  readonly count: number
}

interface Walk {
  last: string
  /** Up to here files are fetched ahead. */
  frontier: string
  /** Files that were planned and are still ahead of the reader. */
  aheadCount: number
  plannedCount: number
  usedCount: number
  windowCount: number
  /** Opens since the reader was found to pick. */
  pickedCount: number
}

const directoryCountMax = 64
const firstWindowCount = 8
const windowCountMax = 256
/** A reader that uses less than a quarter of so many planned files picks, it does not walk; after so many more opens it gets another chance. */
const judgedCountMin = 32
const pickedCountMax = 200
const usedPartMin = 1 / 4
/** Opens in order that make a walk believed in other directories too. */
const walkerCount = 6
const trustMax = 64

export class SiblingGovernor {
  /** In the order of their last use. */
  readonly #walks = new Map<number, Walk>()
  /** Opens in order, over all directories, less those that were not. */
  #trust = 0

  /** A file is opened that was closed. `directory` is any number that names the directory. */
  opened(directory: number, name: string): SiblingPlan | undefined {
    const walk = this.#walks.get(directory)
    if (walk === undefined) {
      const begun = this.#begin(directory, name)
      return this.#trust >= walkerCount ? this.#extend(begun) : undefined
    }
    this.#walks.delete(directory)
    this.#walks.set(directory, walk)
    const order = compareNames(name, walk.last)
    if (order === 0) return undefined
    if (order < 0) {
      this.#trust = Math.max(0, this.#trust - 2)
      Object.assign(walk, { last: name, frontier: name, aheadCount: 0, windowCount: firstWindowCount })
      return undefined
    }
    this.#trust = Math.min(trustMax, this.#trust + 1)
    this.#advance(walk, name)
    return this.#extend(walk)
  }

  /** So many files of the plan were fetched ahead, the last of them being `last`; fewer than planned at the directory's end. */
  extended(directory: number, last: string, count: number): void {
    const walk = this.#walks.get(directory)
    if (walk === undefined || compareNames(last, walk.frontier) <= 0) return
    walk.frontier = last
    walk.aheadCount += count
    walk.plannedCount += count
  }

  #begin(directory: number, name: string): Walk {
    if (this.#walks.size >= directoryCountMax) {
      const [oldest] = this.#walks.keys()
      if (oldest !== undefined) this.#walks.delete(oldest)
    }
    const walk = freshWalk(name)
    this.#walks.set(directory, walk)
    return walk
  }

  #advance(walk: Walk, name: string): void {
    walk.last = name
    if (compareNames(name, walk.frontier) <= 0) {
      walk.usedCount += 1
      walk.aheadCount = Math.max(0, walk.aheadCount - 1)
    } else {
      walk.frontier = name
      walk.aheadCount = 0
    }
  }

  /** When less is left ahead than half of the next window, that window, twice as long each time. */
  #extend(walk: Walk): SiblingPlan | undefined {
    if (this.#isPicking(walk) || walk.aheadCount > walk.windowCount / 2) return undefined
    const count = walk.windowCount
    walk.windowCount = Math.min(windowCountMax, walk.windowCount * 2)
    return { after: walk.frontier, count }
  }

  #isPicking(walk: Walk): boolean {
    if (walk.plannedCount < judgedCountMin || walk.usedCount >= walk.plannedCount * usedPartMin) return false
    walk.pickedCount += 1
    if (walk.pickedCount > pickedCountMax) Object.assign(walk, { plannedCount: 0, usedCount: 0, pickedCount: 0, windowCount: firstWindowCount })
    return true
  }
}

function freshWalk(name: string): Walk {
  return { last: name, frontier: name, aheadCount: 0, plannedCount: 0, usedCount: 0, windowCount: firstWindowCount, pickedCount: 0 }
}

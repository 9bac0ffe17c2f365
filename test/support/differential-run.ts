/**
 * The same turns in two folders, by two sets of processes, compared call by call and tree by tree. The second folder is the oracle.
 *
 * What may differ and is not compared: inode numbers, blocks, sizes of directories, and times that were not set by a program. A set time lies in the last
 * century (`differential-steps.ts`), so one that is older than 2001 must be equal in both.
 */
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { Generator, type Turn, processCount } from './differential-steps.ts'
import type { CallName, Outcome, Stat } from './posix-calls.ts'
import { PosixAgent } from './posix-client.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface Difference {
  readonly turn: number
  readonly what: string
}

const deadlineMs = 30_000
const setBefore = 1_000_000_000n * 1_000_000_000n
const turnsPerTree = 200

export class Pair {
  readonly #subject: string
  readonly #oracle: string
  #agents: { readonly subject: PosixAgent; readonly oracle: PosixAgent }[] = []

  constructor(subject: string, oracle: string) {
    this.#subject = subject
    this.#oracle = oracle
  }

  async start(): Promise<void> {
    this.#agents = await Promise.all(
      Array.from({ length: processCount }, async () => ({
        subject: await PosixAgent.start({ directory: this.#subject, deadlineMs }),
        oracle: await PosixAgent.start({ directory: this.#oracle, deadlineMs }),
      })),
    )
  }

  /** Everything is closed; the mount can be taken away. */
  async stop(): Promise<void> {
    const agents = this.#agents
    this.#agents = []
    await Promise.all(agents.flatMap(({ subject, oracle }) => [subject.stop(), oracle.stop()]))
  }

  /** The first call whose outcome differs, if any. */
  async run({ process, steps }: Turn): Promise<string | undefined> {
    const { subject, oracle } = this.#agents[process]!
    const [ours, theirs] = await Promise.all([subject.run(steps), oracle.run(steps)])
    for (const [index, step] of steps.entries()) {
      const [mine, other] = [normal(step.call[0], ours[index]!), normal(step.call[0], theirs[index]!)]
      if (mine !== other) return `process ${process}: ${JSON.stringify(step.call)}\n  mount:  ${mine.slice(0, 600)}\n  oracle: ${other.slice(0, 600)}`
    }
    return undefined
  }

  /** The first name or file that differs between the two trees. */
  compareTrees(): string | undefined {
    const [mine, other] = [treeOf(this.#subject), treeOf(this.#oracle)]
    for (const name of new Set([...mine.keys(), ...other.keys()])) {
      if (mine.get(name) !== other.get(name)) return `tree "${name}"\n  mount:  ${mine.get(name)?.slice(0, 600)}\n  oracle: ${other.get(name)?.slice(0, 600)}`
    }
    return undefined
  }
}

/** Turns by a seed until so many operations were done; the history and what differed. */
export async function runTurns(pair: Pair, random: SeededRandom, operationCount: number): Promise<{ readonly history: Turn[]; readonly difference: Difference | undefined }> {
  const generator = new Generator(random)
  const history: Turn[] = []
  for (let done = 0; done < operationCount; ) {
    const turn = generator.turn()
    history.push(turn)
    done += turn.steps.length
    const what = (await pair.run(turn)) ?? (history.length % turnsPerTree === 0 ? pair.compareTrees() : undefined)
    if (what !== undefined) return { history, difference: { turn: history.length - 1, what } }
  }
  const what = pair.compareTrees()
  return { history, difference: what === undefined ? undefined : { turn: history.length - 1, what } }
}

/** The turns from which no part can be left out without the difference going away; `replay` gives what differs. */
export async function shrink(history: readonly Turn[], replay: (turns: readonly Turn[]) => Promise<string | undefined>, triesMax: number): Promise<readonly Turn[]> {
  let best = history
  let tries = 0
  for (let size = Math.ceil(best.length / 2); size >= 1 && tries < triesMax; ) {
    let isShorter = false
    for (let start = 0; start < best.length && tries < triesMax; ) {
      const candidate = [...best.slice(0, start), ...best.slice(start + size)]
      tries += 1
      if (candidate.length > 0 && (await replay(candidate)) !== undefined) {
        best = candidate
        isShorter = true
      } else start += size
    }
    if (size === 1 && !isShorter) break
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return best
}

/** What these return is a place in a process, not a fact of the file. */
const valueless: ReadonlySet<CallName> = new Set(['open', 'mmap', 'create'])

function normal(call: CallName, { value, error, data, names, stat }: Outcome): string {
  // A mount is nodev: a device that is not there (ENXIO on a disk) may not even be asked for.
  if (error !== undefined) return call === 'open' && error === 'EACCES' ? 'ENXIO' : error
  const told = { value: valueless.has(call) ? 0 : value, data: data === undefined ? undefined : shortened(data), names: names?.toSorted(), stat: stat === undefined ? undefined : normalStat(stat) }
  return JSON.stringify(told)
}

/** Long contents by runs of the same byte. */
function shortened(data: string): string {
  return data.length < 200 ? data : data.replaceAll(/(.)\1{8,}/gs, (run: string, one: string) => `${one}×${run.length} `)
}

function normalStat({ kind, mode, nlink, uid, gid, size, major, minor, mtime }: Stat): object {
  // What is written into a fifo is the kernel's business, and it marks no times of a file system that keeps them itself (S_NOCMTIME).
  const isSet = mtime < setBefore && kind !== 'fifo'
  return { kind, mode: mode.toString(8), nlink, uid, gid, size: kind === 'directory' ? 0 : size, major, minor, mtime: isSet ? String(mtime) : 'now' }
}

function treeOf(root: string): Map<string, string> {
  const tree = new Map<string, string>()
  const visit = (path: Buffer, name: string): void => {
    const stat = lstatSync(path, { bigint: true })
    const time = stat.mtimeNs < setBefore && !stat.isFIFO() ? String(stat.mtimeNs) : 'now'
    const base = `${stat.mode.toString(8)} ${stat.nlink} ${stat.uid}:${stat.gid} ${time}`
    if (stat.isDirectory()) {
      tree.set(name, base)
      for (const child of readdirSync(path, { encoding: 'buffer' })) visit(Buffer.concat([path, Buffer.from('/'), child]), `${name}/${child.toString('latin1')}`)
    } else if (stat.isFile()) tree.set(name, `${base} ${stat.size} ${shortened(readFileSync(path).toString('latin1'))}`)
    else if (stat.isSymbolicLink()) tree.set(name, `${base} ${readlinkSync(path)}`)
    else tree.set(name, `${base} ${stat.rdev}`)
  }
  visit(Buffer.from(root), '.')
  return tree
}

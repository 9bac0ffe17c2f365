/**
 * What a case of the POSIX suite is written in: calls with what is expected of each, noted first and made together, one round trip to the agent.
 * Nothing throws before the end, where everything that was not as expected is told at once. Calls go to the agent `first` unless another is chosen.
 */
import type { Call, CallName, Calls, Credential, FileKind, Outcome, Place, Stat, Step } from './posix-calls.ts'
import { type PosixAgent, makeStep } from './posix-client.ts'

/** Gives further processes; the name is the case's own. */
export type AgentOf = (name: string) => Promise<PosixAgent>

export type Wanted = Partial<Stat>

/** A noted call. Its answers can be read once the script has run up to it: in `check`, or after `run`. */
export class Noted {
  #outcome: Outcome | undefined
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  settle(outcome: Outcome): void {
    this.#outcome = outcome
  }

  get outcome(): Outcome {
    if (this.#outcome === undefined) throw new Error(`Cannot read the outcome of "${this.text}": it has not been made`)
    return this.#outcome
  }

  get stat(): Stat {
    const { stat } = this.outcome
    if (stat === undefined) throw new Error(`"${this.text}" gave no attributes but ${describeOutcome(this.outcome)}`)
    return stat
  }

  get value(): number {
    return this.outcome.value
  }

  get data(): string {
    return this.outcome.data ?? ''
  }

  get names(): readonly string[] {
    return this.outcome.names ?? []
  }
}

interface NotedCall {
  readonly kind: 'call'
  readonly agentName: string
  readonly step: Step
  readonly noted: Noted
  /** What was wanted, when it is not this. */
  readonly judge: (outcome: Outcome) => string | undefined
}

type Item = NotedCall | { readonly kind: 'check'; readonly what: string; readonly holds: () => boolean }

/** How long a file system's clock may stand still: two ticks of the slowest kernel. */
const tickMs = 21

class Notes {
  readonly items: Item[] = []
  readonly failures: string[] = []
  checkCount = 0
}

export class Script {
  readonly #notes: Notes
  readonly #credential: Credential | undefined
  readonly #agentOf: AgentOf
  readonly #agentName: string

  constructor(agentOf: AgentOf, notes: Notes = new Notes(), credential?: Credential, agentName = 'first') {
    this.#agentOf = agentOf
    this.#notes = notes
    this.#credential = credential
    this.#agentName = agentName
  }

  /** The same script, for another user. */
  as(credential: Credential): Script {
    return new Script(this.#agentOf, this.#notes, credential, this.#agentName)
  }

  /** The same script, in another process. Calls are made in the order in which they were noted, whichever process makes them. */
  on(agentName: string): Script {
    return new Script(this.#agentOf, this.#notes, this.#credential, agentName)
  }

  get checkCount(): number {
    return this.#notes.checkCount
  }

  /** Makes the call, whatever comes of it. */
  try<Name extends CallName>(name: Name, ...parameters: Calls[Name]): Noted {
    return this.#note(() => undefined, name, ...parameters)
  }

  ok<Name extends CallName>(name: Name, ...parameters: Calls[Name]): Noted {
    return this.#note((outcome) => (outcome.error === undefined ? undefined : 'success'), name, ...parameters)
  }

  /** `error`: its name, or all that would do. */
  fails<Name extends CallName>(error: string | readonly string[], name: Name, ...parameters: Calls[Name]): Noted {
    const wanted = typeof error === 'string' ? [error] : error
    return this.#note((outcome) => (wanted.includes(outcome.error ?? '') ? undefined : wanted.join(' or ')), name, ...parameters)
  }

  /** A call from a table: it succeeds, or fails with one of the errors. */
  expect(call: Call, error?: string | readonly string[]): Noted {
    const [name, ...parameters] = call as readonly [CallName, ...unknown[]]
    const wanted = typeof error === 'string' ? [error] : error
    const judge = (outcome: Outcome): string | undefined => (wanted === undefined ? (outcome.error === undefined ? undefined : 'success') : wanted.includes(outcome.error ?? '') ? undefined : wanted.join(' or '))
    return this.#noteStep(judge, this.#credential === undefined ? { call } : { call, as: this.#credential }, describeCall(this.#credential, name, parameters))
  }

  returns<Name extends CallName>(value: number, name: Name, ...parameters: Calls[Name]): Noted {
    return this.#note((outcome) => (outcome.error === undefined && outcome.value === value ? undefined : `${value}`), name, ...parameters)
  }

  /** A call that answers with bytes. */
  gives<Name extends CallName>(data: string, name: Name, ...parameters: Calls[Name]): Noted {
    return this.#note((outcome) => (outcome.data === data ? undefined : JSON.stringify(data).slice(0, 100)), name, ...parameters)
  }

  /** A call that answers with names. */
  lists<Name extends CallName>(names: readonly string[], name: Name, ...parameters: Calls[Name]): Noted {
    const wanted = JSON.stringify(names)
    return this.#note((outcome) => (JSON.stringify(outcome.names) === wanted ? undefined : wanted.slice(0, 300)), name, ...parameters)
  }

  lstat(place: Place, wanted: Wanted = {}): Noted {
    return this.#note((outcome) => differences(outcome, wanted), 'lstat', place)
  }

  stat(place: Place, wanted: Wanted = {}): Noted {
    return this.#note((outcome) => differences(outcome, wanted), 'stat', place)
  }

  fstat(fd: string, wanted: Wanted = {}): Noted {
    return this.#note((outcome) => differences(outcome, wanted), 'fstat', fd)
  }

  gone(place: Place): Noted {
    return this.fails('ENOENT', 'lstat', place)
  }

  /** Something about answers that came before; told as it is written when it does not hold. */
  check(what: string, holds: () => boolean): void {
    this.#notes.items.push({ kind: 'check', what, holds })
  }

  /** From here on, what is marked with the current time is marked later than what was before. */
  tick(ms: number = tickMs): void {
    this.try('sleep', ms)
  }

  /** A file of any kind; a symbolic link leads to "target". */
  make(kind: FileKind, place: Place, { mode, uid, gid }: { readonly mode?: number; readonly uid?: number; readonly gid?: number } = {}): void {
    const permissions = mode ?? (kind === 'directory' ? 0o755 : 0o644)
    if (kind === 'regular') this.ok('create', place, permissions)
    else if (kind === 'directory') this.ok('mkdir', place, permissions)
    else if (kind === 'fifo') this.ok('mkfifo', place, permissions)
    else if (kind === 'symlink') this.ok('symlink', 'target', place)
    else if (kind === 'socket') this.ok('mknod', place, 'socket', permissions)
    else this.ok('mknod', place, kind, permissions, 1, 2)
    if (uid !== undefined || gid !== undefined) this.ok('lchown', place, uid ?? -1, gid ?? -1)
  }

  /** Unlinks it, or removes the empty directory. */
  remove(kind: FileKind, place: Place): void {
    this.ok(kind === 'directory' ? 'rmdir' : 'unlink', place)
  }

  /** Another process of this case, to be asked beside the script. */
  agent(name: string): Promise<PosixAgent> {
    return this.#agentOf(name)
  }

  /** Makes what was noted since the last time. */
  async run(): Promise<void> {
    const items = this.#notes.items.splice(0)
    for (let start = 0; start < items.length; ) {
      const agentName = agentNameAfter(items, start)
      const found = items.findIndex((item, index) => index >= start && item.kind === 'call' && item.agentName !== agentName)
      const end = found === -1 ? items.length : found
      await this.#runOn(agentName, items.slice(start, end))
      start = end
    }
  }

  async #runOn(agentName: string, items: readonly Item[]): Promise<void> {
    const steps = items.flatMap((item) => (item.kind === 'call' ? [item.step] : []))
    const outcomes = steps.length === 0 ? [] : await (await this.#agentOf(agentName)).run(steps)
    let index = 0
    for (const item of items) {
      if (item.kind === 'check') this.#judge(faultOf(item.what, item.holds))
      else this.#judgeCall(item, outcomes[index++]!)
    }
  }

  /** Throws when anything was not as expected. */
  finish(): void {
    const { failures } = this.#notes
    if (failures.length === 0) return
    const shown = failures.slice(0, 12)
    throw new Error(`${failures.length} of ${this.#notes.checkCount}:\n${shown.join('\n')}${failures.length > shown.length ? '\n…' : ''}`)
  }

  #note<Name extends CallName>(judge: (outcome: Outcome) => string | undefined, name: Name, ...parameters: Calls[Name]): Noted {
    return this.#noteStep(judge, makeStep(this.#credential, name, ...parameters), describeCall(this.#credential, name, parameters))
  }

  #noteStep(judge: NotedCall['judge'], step: Step, text: string): Noted {
    const noted = new Noted(this.#agentName === 'first' ? text : `${text} in the process "${this.#agentName}"`)
    this.#notes.items.push({ kind: 'call', agentName: this.#agentName, step, noted, judge })
    return noted
  }

  #judgeCall({ noted, judge }: NotedCall, outcome: Outcome): void {
    noted.settle(outcome)
    const wanted = judge(outcome)
    this.#judge(wanted === undefined ? undefined : `${noted.text}: expected ${wanted}, got ${describeOutcome(outcome)}`)
  }

  #judge(failure: string | undefined): void {
    this.#notes.checkCount += 1
    if (failure !== undefined) this.#notes.failures.push(failure)
  }
}

/** What a check looks at may not be there, when a call failed. */
function faultOf(what: string, holds: () => boolean): string | undefined {
  try {
    return holds() ? undefined : `It is not so that ${what}`
  } catch (error) {
    return `It cannot be told whether ${what}: ${error instanceof Error ? error.message : 'unknown'}`
  }
}

function agentNameAfter(items: readonly Item[], start: number): string {
  return items.slice(start).find((item) => item.kind === 'call')?.agentName ?? 'first'
}

function differences(outcome: Outcome, wanted: Wanted): string | undefined {
  const { stat } = outcome
  if (stat === undefined) return 'attributes'
  const different = Object.entries(wanted).filter(([field, value]) => stat[field as keyof Stat] !== value)
  return different.length === 0 ? undefined : different.map(([field, value]) => `${field} ${showField(field, value)}`).join(', ')
}

function showField(field: string, value: unknown): string {
  return field === 'mode' ? `0${Number(value).toString(8)}` : String(value)
}

function describeCall(credential: Credential | undefined, name: string, parameters: readonly unknown[]): string {
  const who = credential === undefined ? '' : ` as ${[credential.uid, credential.gid, ...(credential.groups ?? [])].join(':')}`
  const shown = parameters.map((parameter) => {
    const text = name !== 'lseek' && typeof parameter === 'number' && parameter > 7 && parameter < 0o10000000 ? `${parameter}=0${parameter.toString(8)}` : JSON.stringify(parameter)
    return text === undefined || text.length <= 60 ? text : `${text.slice(0, 57)}…`
  })
  return `${name}(${shown.join(', ')})${who}`
}

function describeOutcome(outcome: Outcome): string {
  if (outcome.error !== undefined) return outcome.error
  const { stat, names, data } = outcome
  if (stat !== undefined) return Object.entries(stat).map(([field, value]) => `${field} ${showField(field, value)}`).join(', ')
  if (names !== undefined) return JSON.stringify(names).slice(0, 300)
  return data === undefined ? `${outcome.value}` : `${outcome.value}, ${JSON.stringify(data).slice(0, 100)}`
}

/**
 * A process that makes system calls for tests: `posix-client.ts` starts it. A line of JSON on standard input is a batch of steps; they are made
 * one after the other, each under its own credential, and the answer is a line with their outcomes. Never in the tests' own process: that may be
 * the one that serves the mount.
 *
 * A credential is put on for one call and taken off again, on this thread alone: the saved user id stays 0.
 */
import { readSync, writeSync } from 'node:fs'
import { dataCalls, lockCalls, mapCalls } from './posix-agent-data.ts'
import { attributeCalls, nameCalls } from './posix-agent-names.ts'
import { processCalls } from './posix-agent-process.ts'
import { AgentState, type CallTable } from './posix-agent-state.ts'
import type { Call, CallName, Credential, Outcome, Step } from './posix-calls.ts'
import { errnoName, libc, threadIdentity } from './posix-libc.ts'

const state = new AgentState()
const table: CallTable<CallName> = {
  ...dataCalls(state),
  ...mapCalls(state),
  ...lockCalls(state),
  ...nameCalls(state),
  ...attributeCalls(state),
  ...processCalls(state),
}

function perform(step: Step): Outcome {
  libc.umask(step.as?.umask ?? 0)
  if (step.as === undefined || (step.as.uid === 0 && step.as.gid === 0 && step.as.groups === undefined)) return make(step.call)
  try {
    putOn(step.as)
    return make(step.call)
  } finally {
    takeOff()
  }
}

function make([name, ...parameters]: Call): Outcome {
  const call = table[name] as (...parameters: unknown[]) => Outcome
  return call(...parameters)
}

function putOn({ uid, gid, groups = [gid] }: Credential): void {
  const list = Uint32Array.from(groups)
  demand(threadIdentity.setgroups(list.length, new Uint8Array(list.buffer), null))
  demand(threadIdentity.setresgid(gid, gid, 0))
  demand(threadIdentity.setresuid(uid, uid, 0))
}

function takeOff(): void {
  demand(threadIdentity.setresuid(0, 0, 0))
  demand(threadIdentity.setresgid(0, 0, 0))
  demand(threadIdentity.setgroups(0, null, null))
}

function demand(value: number): void {
  if (value === -1) throw new Error(`Cannot change who asks: ${errnoName()}`)
}

/** What cannot even be tried is an outcome too: the client gets a sentence for an errno. */
function attempt(step: Step): Outcome {
  try {
    return perform(step)
  } catch (error) {
    return { value: -1, error: error instanceof Error ? error.message : 'unknown' }
  }
}

function answer(line: string): void {
  const { steps, clears }: { steps: Step[]; clears: boolean } = JSON.parse(line)
  const outcomes = steps.map(attempt)
  if (clears) state.clear()
  const text = JSON.stringify(outcomes, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  const bytes = Buffer.from(`${text}\n`)
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written)
}

const input = Buffer.alloc(1 << 16)
const parts: Buffer[] = []
for (;;) {
  const length = readSync(0, input)
  if (length === 0) break
  let start = 0
  for (let end = input.indexOf(10); end !== -1 && end < length; end = input.indexOf(10, start)) {
    parts.push(Buffer.from(input.subarray(start, end)))
    answer(Buffer.concat(parts).toString())
    parts.length = 0
    start = end + 1
  }
  parts.push(Buffer.from(input.subarray(start, length)))
}

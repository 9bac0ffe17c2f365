/**
 * The logs of mounts in the background, beside their control sockets: those of mounts that ended are kept for who looks why, and not for ever.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'

/** Of mounts that ended. */
const keptMax = 8
/** A mount that starts has a log before it has a socket. */
const startingMs = 3_600_000
/** Of one mount point: a longer one is put aside at the next start. */
const logBytesMax = 4 * 1024 * 1024

const logExpression = /\.log(\.1)?$/

/** Called before a mount starts to write `file`. What cannot be removed stays: a log is no reason not to start. */
export function boundLogs(directory: string, file: string, nowMs: number): void {
  try {
    if (!isStanding(file) && existsSync(file) && statSync(file).size > logBytesMax) renameSync(file, `${file}.1`)
    const ended = readdirSync(directory)
      .filter((name) => logExpression.test(name) && name !== path.basename(file) && !isStanding(path.join(directory, name)))
      .map((name) => ({ name, changedMs: statSync(path.join(directory, name)).mtimeMs }))
      .toSorted((a, b) => b.changedMs - a.changedMs)
    for (const { name, changedMs } of ended.slice(keptMax)) {
      if (nowMs - changedMs > startingMs) rmSync(path.join(directory, name), { force: true })
    }
  } catch {
    // Somebody else has just done the same.
  }
}

/** The mount that writes it is there. */
function isStanding(log: string): boolean {
  return existsSync(log.replace(logExpression, '.sock'))
}

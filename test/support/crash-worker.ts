/**
 * Does steps of a seed in a folder, one system call each, until it is told to end or the folder is gone. It says in a log what it begins and what it did: the
 * log is whole whatever becomes of the folder.
 *
 * Arguments: folder, file with the steps that were done there before, log file, seed, how many steps at most.
 */
import { constants, chmodSync, closeSync, fsyncSync, ftruncateSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, rmdirSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { linuxSys } from '../../shim/sys/linux-sys.ts'
import { bytesOfWrite, CrashModel, type CrashStep, nextStep } from './crash-model.ts'
import { SeededRandom } from './seeded-random.ts'

const [folder = '', historyFile = '', logFile = '', seed = '1', stepsMax = '1000'] = process.argv.slice(2)

const fds = new Map<number, number>()

function perform(step: CrashStep): void {
  const at = (path: string): string => join(folder, path)
  const fdOf = (handle: number): number => fds.get(handle) ?? -1
  switch (step.do) {
    case 'create':
      return void fds.set(step.handle, openSync(at(step.path), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o644))
    case 'open':
      return void fds.set(step.handle, openSync(at(step.path), constants.O_RDWR))
    case 'close':
      closeSync(fdOf(step.handle))
      return void fds.delete(step.handle)
    case 'write':
      return writeAll(fdOf(step.handle), bytesOfWrite(step.seed, step.length), step.offset)
    case 'punch':
      return check(linuxSys.punch(fdOf(step.handle), step.offset, step.length))
    case 'ftruncate':
      return ftruncateSync(fdOf(step.handle), step.size)
    case 'truncate':
      return truncateSync(at(step.path), step.size)
    case 'mkdir':
      return mkdirSync(at(step.path), 0o755)
    case 'rmdir':
      return rmdirSync(at(step.path))
    case 'unlink':
      return unlinkSync(at(step.path))
    case 'rename':
      return renameSync(at(step.path), at(step.to))
    case 'link':
      return linkSync(at(step.path), at(step.to))
    case 'symlink':
      return symlinkSync(step.target, at(step.path))
    case 'chmod':
      return chmodSync(at(step.path), step.mode)
    case 'utimes':
      return utimesSync(at(step.path), step.seconds, step.seconds)
    case 'fsync':
      return fsyncSync(fdOf(step.handle))
    case 'fsync-directory':
      return syncDirectory(at(step.path))
    case 'restart':
  }
}

function check(result: number): void {
  if (result < 0) throw new Error(`error ${-result}`)
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, offset + done)
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const model = new CrashModel()
for (const line of readFileSync(historyFile, 'utf8').split('\n')) if (line !== '') model.apply(JSON.parse(line) as CrashStep)
const random = new SeededRandom(Number(seed))
const log = openSync(logFile, 'a')
const say = (line: unknown): void => void writeSync(log, `${JSON.stringify(line)}\n`)
// Steps of another run have other numbers.
const first = Number(seed) * 1_000_000
process.umask(0)
for (let count = 0; count < Number(stepsMax); count += 1) {
  const step = nextStep(model, random, first + count)
  say(step)
  try {
    perform(step)
  } catch (error) {
    say({ failed: error instanceof Error ? error.message : String(error) })
    break
  }
  model.apply(step)
  say('done')
}

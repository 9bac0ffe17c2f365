import { expect, test } from 'vitest'
import { statusText } from '../../../shim/command/status-text.ts'
import { CapturedTerminal } from '../../support/captured-terminal.ts'

const { output } = new CapturedTerminal()
const quiet = { changeCount: 0, dirtyBytes: 0, dirtyFileCount: 0, conflictCount: 0, conflicts: [], leftOut: [], uploadBytesPerSecond: 0, uploadedBytes: 0 }
const base = { directory: '/mnt', source: 'dir:/s/v', seq: 7, isConnected: true, pid: 12, uptimeMs: 5000, driver: 'linux', metadata: { bytes: 0 }, fileSystem: { cacheDirectory: '/cache/x', waiting: [] } }

/** The lines between `commit` and `process`. */
function written(status: object, isLong = false): string[] {
  const lines = statusText({ ...base, ...status }, isLong, output).split('\n')
  return lines.slice(3, lines.findIndex((line) => line.startsWith('  process')))
}

test('nothing waits, or nothing can be written', () => {
  expect(written({ publishing: quiet })).toEqual(['  writing   everything is published'])
  expect(written({})).toEqual(['  writing   no, it is read-only'])
})

test('a mount that is gone and still publishes says so', () => {
  expect(statusText({ ...base, isEnding: true, publishing: quiet }, false, output)).toMatch(/^\/mnt \(unmounted, publishes what is left\)\n/)
})

test('what waits, for how long, how fast, and where it is until then', () => {
  const publishing = { ...quiet, changeCount: 1200, dirtyBytes: 3 * 1024 * 1024, dirtyFileCount: 2, oldestAgeMs: 61_000, uploadBytesPerSecond: 1024 }
  expect(written({ publishing })).toEqual(['  writing   1,200 changes to publish, 3.00 MiB in 2 files, the oldest for 1 min 01 s; 1.00 KiB/s', '            until then only here: /cache/x'])
})

test.each([
  ['unavailable', 'What was written is kept here, and tried again until the store answers. See that it runs and can be reached'],
  ['denied', 'What was written is kept here, and tried again. The store or edge refuses: see who may write there, and whether the mount\'s token allows it still'],
  ['exhausted', 'What was written is kept here, and tried again. Make room in the store'],
  ['corrupt', 'What was written is kept here, and tried again. Something in the store is damaged: edgemount fsck tells what'],
  ['internal', 'What was written is kept here, and tried again. See the log of the mount'],
])('a failure (%s) comes with what to do', (code, advice) => {
  expect(written({ publishing: { ...quiet, lastError: { code, message: 'Cannot write "x"', sinceMs: 1 } } }).slice(1)).toEqual(['  trouble   Cannot write "x"', `            ${advice}`])
})

test('files that each round leaves out, and a journal whose disk failed', () => {
  const publishing = { ...quiet, leftOut: [{ path: '/db', size: 5, why: 'it changes while it is read' }] }
  expect(written({ publishing, fileSystem: { journal: { hasFailed: true } } }).slice(1)).toEqual([
    '  trouble   "/db" waits: it changes while it is read',
    '  trouble   The journal cannot be written: its disk failed. Save what matters elsewhere, and look at the log of the mount',
  ])
})

test('conflicts, the last ones, with both names', () => {
  const conflicts = Array.from({ length: 7 }, (_, index) => ({ path: `/${index}`, keptAs: index === 6 ? '/6' : `/${index}.conflict-me-9`, seq: 9 }))
  expect(written({ publishing: { ...quiet, conflictCount: 7, conflicts } }).slice(1)).toEqual([
    '  conflicts 7, changed here and elsewhere; the last:',
    ...[2, 3, 4, 5].map((index) => `            "/${index}": ours is "/${index}.conflict-me-9" (commit 9)`),
    '            "/6": it was removed on one side and changed on the other: it stays (commit 9)',
  ])
})

test('what was found at the start, and what was lost', () => {
  const recovered = { nameCount: 1, inodeCount: 2, cutBytes: 2048, lost: ['/a'] }
  expect(written({ publishing: quiet, fileSystem: { recovered } }).slice(1)).toEqual([
    '  recovered 1 name, 2 files at the start, that the mount before had not published',
    '            lost: the last 2.00 KiB of its journal could not be read',
    '            lost: what was written last to "/a" had not reached the disk; it is as it was published last',
  ])
})

test('--long names each file that waits, and why', () => {
  const waiting = [{ label: '/a', size: 5, isOpen: false }, { label: '/b', size: 2048, isOpen: true }, { label: '/c', size: 1, isOpen: true }]
  const publishing = { ...quiet, changeCount: 5, dirtyFileCount: 5, dirtyBytes: 9, leftOut: [{ path: '/c', size: 1, why: 'it changes while it is read' }] }
  const status = { publishing, fileSystem: { waiting } }
  expect(written(status, true).slice(-5)).toEqual([
    '  waiting',
    '                  5 B  /a  (the next commit)',
    '             2.00 KiB  /b  (open for writing)',
    '                  1 B  /c  (it changes while it is read)',
    '            … and 2 more',
  ])
  expect(written({ publishing: { ...publishing, lastError: { code: 'unavailable', message: 'away' } }, fileSystem: { waiting } }, true)).toContain('                  5 B  /a  (the store)')
  expect(written(status).join('\n')).not.toContain('waiting')
})

test('an answer of another version, or nonsense, is no crash', () => {
  for (const status of [{}, null, 'x', { publishing: 7, fileSystem: 'x', metadata: [] }, { publishing: { conflicts: 'x', conflictCount: 2, leftOut: {} } }]) expect(statusText(status, true, output)).toContain('  process   ?')
})

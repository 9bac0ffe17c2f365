/**
 * The status of a mount as lines for people; `status --json` has it whole. The status comes over a socket, from a process that may be of another version: what
 * is not there is left out.
 */
import { fieldOf } from '../../shared/wire/messages.ts'
import { listOf, numberOf, textOf } from './answer-field.ts'
import { leftOutOf } from './flush.ts'
import { leftOf } from './left.ts'
import { counted, formatBytes, formatCount, formatDuration } from './quantity.ts'
import { type Output, plainText } from './terminal.ts'

const conflictsShown = 5
const lostShown = 5

export function statusText(status: unknown, isLong: boolean, output: Output): string {
  const text = (name: string): string => textOf(status, name) ?? '?'
  const state = fieldOf(status, 'isFixed') === true ? 'fixed' : fieldOf(status, 'isConnected') === true ? 'following' : 'source not reachable; showing what is known'
  const url = fieldOf(status, 'url')
  const fileSystem = fieldOf(status, 'fileSystem')
  const lines = [
    fieldOf(status, 'isEnding') === true ? `${text('directory')} (unmounted, publishes what is left)` : text('directory'),
    `  volume    ${text('source')}`,
    `  commit    ${text('seq')}, ${state}`,
    ...writingLines(status),
    ...conflictLines(fieldOf(status, 'publishing')),
    ...recoveredLines(fieldOf(fileSystem, 'recovered')),
    ...(isLong ? waitingLines(status) : []),
    `  process   ${text('pid')}, for ${formatDuration(numberOf(status, 'uptimeMs'))}, driver ${text('driver')}`,
    ...(typeof url === 'string' ? [`  http      ${url}`] : []),
    cacheLine(fieldOf(fileSystem, 'cache')),
    `  metadata  ${formatBytes(numberOf(fieldOf(status, 'metadata'), 'bytes'))} on disk`,
  ]
  return lines.map((line) => `${plainText(line, output)}\n`).join('')
}

/** What waits to be published, and what is in the way. */
function writingLines(status: unknown): string[] {
  const left = leftOf(status)
  const publishing = fieldOf(status, 'publishing')
  if (left === undefined) return ['  writing   no, it is read-only']
  const lines: string[] = []
  if (left.changeCount === 0) lines.push('  writing   everything is published')
  else {
    const files = numberOf(publishing, 'dirtyFileCount')
    const age = fieldOf(publishing, 'oldestAgeMs')
    const since = typeof age === 'number' ? `, the oldest for ${formatDuration(age)}` : ''
    const speed = left.bytesPerSecond > 0 ? `; ${formatBytes(left.bytesPerSecond)}/s` : ''
    lines.push(`  writing   ${counted(left.changeCount, 'change')} to publish, ${formatBytes(left.dirtyBytes)} in ${counted(files, 'file')}${since}${speed}`)
    const directory = textOf(fieldOf(status, 'fileSystem'), 'cacheDirectory')
    if (directory !== undefined) lines.push(`            until then only here: ${directory}`)
  }
  if (left.error !== undefined) lines.push(`  trouble   ${left.error}`, `            ${adviceOn(textOf(fieldOf(publishing, 'lastError'), 'code'))}`)
  for (const { path, why } of leftOutOf(status).slice(0, 1)) lines.push(`  trouble   "${path}" waits: ${why}`)
  if (fieldOf(fieldOf(fieldOf(status, 'fileSystem'), 'journal'), 'hasFailed') === true) lines.push('  trouble   The journal cannot be written: its disk failed. Save what matters elsewhere, and look at the log of the mount')
  return lines
}

/** Nothing is lost by any of it. */
function adviceOn(code: string | undefined): string {
  const kept = 'What was written is kept here, and tried again'
  if (code === 'denied') return `${kept}. The store or edge refuses: see who may write there, and whether the mount's token allows it still`
  if (code === 'exhausted') return `${kept}. Make room in the store`
  if (code === 'corrupt') return `${kept}. Something in the store is damaged: edgemount fsck tells what`
  if (code === undefined || code === 'unavailable' || code === 'stale' || code === 'aborted' || code === 'closed') return `${kept} until the store answers. See that it runs and can be reached`
  return `${kept}. See the log of the mount`
}

function conflictLines(publishing: unknown): string[] {
  const count = numberOf(publishing, 'conflictCount')
  if (count === 0) return []
  const shown = listOf(publishing, 'conflicts')
    .slice(-conflictsShown)
    .map((each) => {
      const [path, keptAs] = [textOf(each, 'path'), textOf(each, 'keptAs')]
      const what = path === keptAs ? 'it was removed on one side and changed on the other: it stays' : `ours is "${keptAs}"`
      return `            "${path}": ${what} (commit ${textOf(each, 'seq')})`
    })
  return [`  conflicts ${formatCount(count)}, changed here and elsewhere${count > shown.length ? '; the last:' : ':'}`, ...shown]
}

function recoveredLines(recovered: unknown): string[] {
  if (recovered === undefined || recovered === null) return []
  const names = counted(numberOf(recovered, 'nameCount'), 'name')
  const files = counted(numberOf(recovered, 'inodeCount'), 'file')
  const cutBytes = numberOf(recovered, 'cutBytes')
  return [
    `  recovered ${names}, ${files} at the start, that the mount before had not published`,
    ...(cutBytes === 0 ? [] : [`            lost: the last ${formatBytes(cutBytes)} of its journal could not be read`]),
    ...listOf(recovered, 'lost').slice(0, lostShown).map(String).map((path) => `            lost: what was written last to "${path}" had not reached the disk; it is as it was published last`),
  ]
}

function waitingLines(status: unknown): string[] {
  const waiting = listOf(fieldOf(status, 'fileSystem'), 'waiting')
  if (waiting.length === 0) return []
  const whyOf = new Map(leftOutOf(status).map(({ path, why }) => [path, why]))
  const trouble = leftOf(status)?.error
  const lines = waiting.map((file) => {
    const label = textOf(file, 'label') ?? '?'
    const why = whyOf.get(label) ?? (trouble !== undefined ? 'the store' : fieldOf(file, 'isOpen') === true ? 'open for writing' : 'the next commit')
    return `            ${formatBytes(numberOf(file, 'size')).padStart(9)}  ${label}  (${why})`
  })
  const more = numberOf(fieldOf(status, 'publishing'), 'dirtyFileCount') - waiting.length
  return ['  waiting', ...lines, ...(more > 0 ? [`            … and ${formatCount(more)} more`] : [])]
}

function cacheLine(cache: unknown): string {
  if (cache === undefined) return '  cache     none: its directory cannot be used'
  const fileCount = counted(numberOf(cache, 'fileCount'), 'file')
  return `  cache     ${formatBytes(numberOf(cache, 'bytes'))} of ${formatBytes(numberOf(cache, 'bytesMax'))}, ${fileCount}, ${formatCount(numberOf(cache, 'evictedCount'))} evicted`
}

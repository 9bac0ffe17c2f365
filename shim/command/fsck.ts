/** `edgemount fsck`: whether a volume is whole. It changes nothing. */
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { rootPath } from '../../shared/path.ts'
import type { CheckProgress, Finding } from '../../shared/volume/finding.ts'
import { type Call, defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { Meter } from './meter.ts'
import type { OpenVolume } from './open.ts'
import { counted, formatBytes, formatDuration } from './quantity.ts'
import { withVolume } from './session.ts'
import { plainText, type Terminal } from './terminal.ts'
import { inSource } from './target.ts'

const fsckSettings = ['read-data'] as const
type FsckCall = Call<(typeof fsckSettings)[number]>

interface Outcome {
  readonly progress: CheckProgress
  readonly errorCount: number
  readonly warningCount: number
}

export const fsckCommand = defineCommand({
  name: 'fsck',
  summary: 'Check whether a volume is whole.',
  parameters: [{ name: 'volume', help: '<source>/<volume>; with @<seq> the tree of that commit instead of the newest' }],
  settings: fsckSettings,
  details:
    'Goes from the log down: every commit, every page, every entry and its counts, and that every pack is there with all that is said to be in it. With --read-data every stored byte of every file is read, and compared with its hash. It changes nothing, and may run while others write. What is wrong is told line by line, and the exit code is 8; what is only odd is told, too, and is no failure. A mount need not be there; what one has not published is not looked at. --json prints one line for each finding, and one with the counts at the end.',
  examples: [
    ['edgemount fsck dir:./data/photos', 'Everything but the bytes of files.'],
    ['edgemount fsck --read-data --json http://127.0.0.1:8787/photos', 'Every byte, for a script.'],
  ],
  run: async (call) =>
    await withVolume(required(call, 0), call, async (opened) => {
      const { settings, terminal } = call
      const { place, snapshot } = opened
      if (place.path !== rootPath) throw new EdgemountError('unsupported', `Cannot check "${place.path}": only whole volumes are checked. Check ${inSource(place.source, place.volume)}`)
      const startMs = systemMonotonicMs()
      const outcome = await check(call, opened)
      if (settings.json) await terminal.output.write(`${JSON.stringify(outcomeJson(outcome, place.volume, snapshot.seq))}\n`)
      else await terminal.output.write(`${summaryLine(outcome, place.volume, snapshot.seq, systemMonotonicMs() - startMs)}\n`)
      return outcome.errorCount > 0 ? exitCode.corrupt : exitCode.ok
    }),
})

/** Tells what it finds as it finds it. */
async function check({ settings, terminal }: FsckCall, { volume, place }: OpenVolume): Promise<Outcome> {
  let progress: CheckProgress = { recordCount: 0, entryCount: 0, packCount: 0, readBytes: 0 }
  const counts = { error: 0, warning: 0 }
  const startMs = systemMonotonicMs()
  const meter = new Meter(systemClock, terminal.remarks, settings.quiet || settings.json, () => progressLine(progress, systemMonotonicMs() - startMs))
  try {
    const findings = volume.check({
      seq: place.seq,
      readsBodies: settings['read-data'],
      signal: terminal.signal,
      onProgress: (now) => {
        progress = now
      },
    })
    for (let next = await findings.next(); ; next = await findings.next()) {
      if (next.done === true) return { progress: next.value, errorCount: counts.error, warningCount: counts.warning }
      counts[next.value.severity] += 1
      await meter.clear()
      await tell(next.value, settings.json, terminal)
    }
  } finally {
    await meter.stop()
  }
}

async function tell(finding: Finding, isJson: boolean, { output }: Terminal): Promise<void> {
  const { severity, path, what, why } = finding
  await output.write(isJson ? `${JSON.stringify(finding)}\n` : `${plainText(`${severity === 'error' ? 'Damaged' : 'Odd'}: "${path}" (${what}): ${why}`, output)}\n`)
}

function progressLine({ recordCount, entryCount, packCount, readBytes }: CheckProgress, elapsedMs: number): string {
  const read = readBytes === 0 ? '' : `, ${formatBytes(readBytes)} read, ${formatBytes(readBytes / Math.max(0.001, elapsedMs / 1000))}/s`
  return `Checked ${counted(recordCount, 'commit')}, ${counted(entryCount, 'entry')}, ${counted(packCount, 'pack')}${read}`
}

function summaryLine({ progress, errorCount, warningCount }: Outcome, volume: string, seq: number, elapsedMs: number): string {
  const { recordCount, entryCount, packCount, readBytes } = progress
  const read = readBytes === 0 ? '' : `, ${formatBytes(readBytes)} of files`
  const odd = warningCount === 0 ? '' : `, ${counted(warningCount, 'thing')} odd`
  const found = errorCount === 0 ? `nothing is damaged${odd}` : `${counted(errorCount, 'thing')} damaged${odd}`
  return `Checked "${volume}" at commit ${seq}: ${counted(recordCount, 'commit')}, ${counted(entryCount, 'entry')}, ${counted(packCount, 'pack')}${read}, in ${formatDuration(elapsedMs)}: ${found}.`
}

function outcomeJson({ progress, errorCount, warningCount }: Outcome, volume: string, seq: number): Readonly<Record<string, unknown>> {
  const { recordCount, entryCount, packCount, readBytes } = progress
  return { volume, seq, commits: recordCount, entries: entryCount, packs: packCount, readBytes, errors: errorCount, warnings: warningCount }
}

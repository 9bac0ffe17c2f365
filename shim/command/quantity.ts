/**
 * Quantities as people write and read them: byte sizes, durations, counts. `--cache-bytes 10GiB` and `--deadline 2s` come
 * through here, and so do the numbers in what the command prints.
 */
import { EdgemountError } from '../../shared/error.ts'

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  pb: 1e15,
  k: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gib: 2 ** 30,
  t: 2 ** 40,
  tib: 2 ** 40,
  p: 2 ** 50,
  pib: 2 ** 50,
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, min: 60e3, h: 3600e3, d: 86_400e3 }

/** `10GiB`, `500MB`, `64k` (1024, as rclone and dd have it), `4096` → bytes. Throws `invalid`. */
export function parseBytes(text: string): number {
  return parseQuantity(text, byteUnits, 'a size such as 4096, 500MB or 10GiB')
}

/** `500ms`, `2s`, `5m`, `1h` → ms. A bare number is refused: five what? Throws `invalid`. */
export function parseDuration(text: string): number {
  const bare = text.trim()
  if (/^\d+(\.\d+)?$/.test(bare)) throw new EdgemountError('invalid', `Cannot read "${text}": it has no unit; write ${bare}s or ${bare}ms`)
  return parseQuantity(text, durationUnits, 'a duration such as 500ms, 2s, 5m, 1h or 30d')
}

/** A whole number, not negative. Throws `invalid`. */
export function parseCount(text: string): number {
  return parseQuantity(text, { '': 1 }, 'a whole number')
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>, wanted: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const unit = units[match?.[2]?.toLowerCase() ?? '?']
  const value = unit === undefined ? Number.NaN : Number(match?.[1]) * unit
  const whole = Math.round(value)
  const isExact = text.includes('.') ? unit !== 1 : whole === value
  if (Number.isSafeInteger(whole) && isExact) return whole
  throw new EdgemountError('invalid', `Cannot read "${text}": it is not ${wanted}`)
}

/** `1.50 GiB`: three digits, binary units. */
export function formatBytes(bytes: number): string {
  if (Math.abs(bytes) < 1024) return `${Math.round(bytes)} B`
  let value = bytes
  let unit = ''
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']) {
    if (Math.abs(value) < 1023.5 && unit !== '') break
    value /= 1024
    unit = next
  }
  return `${value.toFixed(Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0)} ${unit}`
}

/** `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 file`, `2 files`, `1 entry`, `2 entries`. */
export function counted(count: number, noun: string): string {
  const plural = /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`
  return `${formatCount(count)} ${count === 1 ? noun : plural}`
}

/** `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** A default as a person would type it: `10GiB`, `30s`. */
export function writeBytes(bytes: number): string {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const) {
    if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return String(bytes)
}

export function writeDuration(ms: number): string {
  return ms !== 0 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

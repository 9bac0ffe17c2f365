/**
 * A value of a Parquet column as the text of a cell. Pure; used by `reader.ts`.
 */
import type { SchemaElement, SchemaTree } from 'hyparquet'

/** A cell with more is a document, and has its own programs. */
const textMax = 1000
const bytesShown = 16

/** How the values of a column are written. */
export function shownBy({ element }: SchemaTree): (value: unknown) => string {
  const meaning = element.logical_type?.type ?? element.converted_type
  if (meaning === 'DATE') return (value) => (value instanceof Date ? plainValue(value).slice(0, 10) : plainValue(value))
  if (meaning === 'DECIMAL') return (value) => shownDecimal(value, element.scale ?? 0)
  if (meaning !== undefined && meaning.startsWith('TIME') && !meaning.startsWith('TIMESTAMP')) return (value) => shownTimeOfDay(value, element)
  const isLocal = element.logical_type?.type === 'TIMESTAMP' && !element.logical_type.isAdjustedToUTC
  if (isLocal) return (value) => (value instanceof Date ? plainValue(value).replace(/Z$/, '') : plainValue(value))
  return plainValue
}

function plainValue(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value.length > textMax ? value.slice(0, textMax) : value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (value instanceof Uint8Array) return hex(value)
  if (typeof value === 'object') return JSON.stringify(value, innerValue).slice(0, textMax)
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : ''
}

function innerValue(_: string, inner: unknown): unknown {
  if (inner instanceof Uint8Array) return hex(inner)
  return typeof inner === 'bigint' ? inner.toString() : inner
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, bytesShown), (byte) => byte.toString(16).padStart(2, '0')).join('') + (bytes.length > bytesShown ? '…' : '')
}

/** The number that was stored, digit by digit: `12.30`. Values come unscaled, of which a floating-point number would lose some. */
function shownDecimal(value: unknown, scale: number): string {
  const unscaled = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value)) ? BigInt(value) : value instanceof Uint8Array && value.length <= 64 ? bigEndian(value) : undefined
  if (unscaled === undefined || scale < 0 || scale > 100) return plainValue(value)
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
}

function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}

/** `13:45:00.5`, as far as there is something after the point. */
function shownTimeOfDay(value: unknown, { converted_type, logical_type }: SchemaElement): string {
  if (typeof value !== 'bigint' && typeof value !== 'number') return plainValue(value)
  const unit = logical_type?.type === 'TIME' ? logical_type.unit : converted_type === 'TIME_MILLIS' ? 'MILLIS' : 'MICROS'
  const perSecond = unit === 'MILLIS' ? 1000 : unit === 'MICROS' ? 1_000_000 : 1_000_000_000
  const count = Number(value)
  if (!(count >= 0 && count < 86_400 * perSecond)) return plainValue(value)
  const seconds = Math.floor(count / perSecond)
  const two = (number: number): string => String(number).padStart(2, '0')
  const rest = String(count % perSecond).padStart(String(perSecond).length - 1, '0').replace(/0+$/, '')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${rest === '' ? '' : `.${rest}`}`
}

/**
 * Logs. A `Logger` is injected; an error is logged once, where it stops. Lines hold no secrets and no file content.
 */
import type { Clock } from './clock.ts'
import { EdgemountError, messageOf } from './error.ts'

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** Says nothing. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export interface LineLoggerOptions {
  /** Takes one line, without its newline. */
  readonly write: (line: string) => void
  readonly clock: Clock
  /** The least level that is written. */
  readonly level: LogLevel
  /** `text` for people, `json` (one object a line) for collectors. */
  readonly format: 'text' | 'json'
}

export function lineLogger(options: LineLoggerOptions): Logger {
  const least = logLevels.indexOf(options.level)
  const write = (level: LogLevel, message: string, fields: LogFields): void => {
    if (logLevels.indexOf(level) < least) return
    const time = new Date(options.clock.now()).toISOString()
    options.write(options.format === 'json' ? jsonLine(time, level, message, fields) : textLine(time, level, message, fields))
  }
  return toLogger(write)
}

/** The same logger with some fields on every line. */
export function withFields(logger: Logger, fields: LogFields): Logger {
  return toLogger((level, message, more) => logger[level](message, { ...fields, ...more }))
}

function toLogger(write: (level: LogLevel, message: string, fields: LogFields) => void): Logger {
  return {
    debug: (message, fields = {}) => write('debug', message, fields),
    info: (message, fields = {}) => write('info', message, fields),
    warn: (message, fields = {}) => write('warn', message, fields),
    error: (message, fields = {}) => write('error', message, fields),
  }
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const plain: Record<string, unknown> = { time, level, message }
  for (const [name, value] of Object.entries(fields)) plain[name in plain ? `field.${name}` : name] = plainValue(value)
  return JSON.stringify(plain)
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${time} ${level.padEnd(5)} ${escapeControls(message)}`
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${name}=${textValue(plainValue(value))}`
  }
  return line
}

/** A bare word stays bare; everything else is JSON, so a line is always one line. */
function textValue(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@%+-]+$/.test(value)) return value
  return JSON.stringify(value)
}

/** What JSON can say: errors become their code and sentence, 64-bit numbers strings. */
function plainValue(value: unknown): unknown {
  if (value instanceof EdgemountError) return `${value.code}: ${value.message}`
  if (value instanceof Error) return messageOf(value)
  return typeof value === 'bigint' ? value.toString() : value
}

function escapeControls(text: string): string {
  // oxlint-disable-next-line no-control-regex -- a newline in a file name must not forge a second log line
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, (control) => JSON.stringify(control).slice(1, -1))
}

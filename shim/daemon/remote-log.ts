/**
 * The file-system thread's logger: lines go to the network thread, which writes them. A storm of failures may not fill memory or disk, so
 * lines beyond a number per second are counted instead of sent.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { LogFields, LogLevel, Logger } from '../../shared/log.ts'
import type { ToNetwork } from './messages.ts'

const linesPerSecondMax = 50

export function remoteLogger(send: (message: ToNetwork) => void, clock: Clock): Logger {
  let second = 0
  let count = 0
  let suppressedCount = 0
  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    const now = Math.floor(clock.now() / 1000)
    if (now !== second) {
      if (suppressedCount > 0) send({ kind: 'log', level: 'warn', message: `${suppressedCount} more lines were left out`, fields: {} })
      second = now
      count = 0
      suppressedCount = 0
    }
    count += 1
    if (count > linesPerSecondMax) suppressedCount += 1
    else send({ kind: 'log', level, message, fields: plainFields(fields) })
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  }
}

/** Errors lose their class on the way to another thread. */
function plainFields(fields: LogFields): LogFields {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof EdgemountError) plain[name] = `${value.code}: ${value.message}`
    else plain[name] = value instanceof Error ? messageOf(value) : value
  }
  return plain
}

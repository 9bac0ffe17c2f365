/** The log of a command: lines on standard error. */
import { systemClock } from '../../shared/clock.ts'
import { type Logger, lineLogger } from '../../shared/log.ts'
import { withoutTokens } from '../../shared/wire/token.ts'
import type { Call } from './command.ts'

export function loggerOf({ settings, terminal }: Pick<Call<never>, 'settings' | 'terminal'>): Logger {
  return lineLogger({
    write: (line) => void terminal.remarks.write(`${withoutTokens(line)}\n`),
    clock: systemClock,
    level: settings['log-level'],
    format: settings['log-format'],
  })
}

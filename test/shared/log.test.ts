import { expect, test } from 'vitest'
import { EdgemountError } from '../../shared/error.ts'
import { type LineLoggerOptions, type Logger, lineLogger, silentLogger, withFields } from '../../shared/log.ts'
import { ManualClock } from '../support/manual-clock.ts'

function logging(options: Partial<LineLoggerOptions> = {}): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const logger = lineLogger({ write: (line) => lines.push(line), clock: new ManualClock(Date.UTC(2026, 0, 2)), level: 'info', format: 'text', ...options })
  return { logger, lines }
}

test('text: time, level, message, fields', () => {
  const { logger, lines } = logging()
  logger.info('mounted', { path: '/mnt', files: 3, name: 'a b', none: undefined })
  logger.warn('slow', { error: new EdgemountError('unavailable', 'Cannot read "x": away'), cause: new Error('why'), id: 5n })
  expect(lines).toEqual([
    '2026-01-02T00:00:00.000Z info  mounted path=/mnt files=3 name="a b"',
    '2026-01-02T00:00:00.000Z warn  slow error="unavailable: Cannot read \\"x\\": away" cause=why id=5',
  ])
})

test('one event is one line, whatever a file is called', () => {
  const { logger, lines } = logging()
  logger.error('bad\nname\u001b[31m', { path: 'a\n2026 info forged' })
  expect(lines).toEqual(['2026-01-02T00:00:00.000Z error bad\\nname\\u001b[31m path="a\\n2026 info forged"'])
})

test('json: one object a line; a field never hides the message', () => {
  const { logger, lines } = logging({ format: 'json' })
  logger.error('failed', { message: 'mine', size: 2n, error: new EdgemountError('denied', 'no') })
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    { time: '2026-01-02T00:00:00.000Z', level: 'error', message: 'failed', 'field.message': 'mine', size: '2', error: 'denied: no' },
  ])
})

test.each([
  ['debug', 4],
  ['info', 3],
  ['warn', 2],
  ['error', 1],
] as const)('from %s up, %i of four are written', (level, count) => {
  const { logger, lines } = logging({ level })
  logger.debug('x')
  logger.info('x')
  logger.warn('x')
  logger.error('x')
  expect(lines).toHaveLength(count)
})

test('fields of a part stand on each of its lines', () => {
  const { logger, lines } = logging()
  withFields(logger, { volume: 'demo' }).info('opened', { seq: 4 })
  expect(lines[0]).toContain('opened volume=demo seq=4')
})

test('silence', () => {
  expect(() => silentLogger.error('nobody hears this')).not.toThrow()
})

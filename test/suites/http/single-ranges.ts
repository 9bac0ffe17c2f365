/** One range: RFC 9110 sections 14.1.1 to 14.4. */
import { type HttpRow, get, part, row, request, at, unsatisfiable, whole } from './row.ts'

const nginxRefuses = { nginx: { differs: 'nginx answers 416 to a Range that it cannot read; section 14.2 has a server ignore it' } } as const

/** Range, first and last byte of the 26. */
const satisfiable: readonly (readonly [string, number, number])[] = [
  ['bytes=0-0', 0, 0],
  ['bytes=0-1', 0, 1],
  ['bytes=0-24', 0, 24],
  ['bytes=0-25', 0, 25],
  ['bytes=0-26', 0, 25],
  ['bytes=0-', 0, 25],
  ['bytes=1-', 1, 25],
  ['bytes=24-', 24, 25],
  ['bytes=25-', 25, 25],
  ['bytes=25-25', 25, 25],
  ['bytes=13-13', 13, 13],
  ['bytes=20-99', 20, 25],
  ['bytes=-1', 25, 25],
  ['bytes=-25', 1, 25],
  ['bytes=-26', 0, 25],
  ['bytes=-27', 0, 25],
  ['bytes=-1000000', 0, 25],
  ['bytes=01-002', 1, 2],
  ['bytes=0000000000000000000000000-3', 0, 3],
  ['bytes=5-9007199254740991', 5, 25],
  ['bytes=5-9007199254740992', 5, 25],
  ['bytes=5-9007199254740993', 5, 25],
  ['bytes=5-9223372036854775807', 5, 25],
]

/** Beyond 2^63, where nginx gives up. */
const huge: readonly (readonly [string, number, number])[] = [
  ['bytes=5-9223372036854775808', 5, 25],
  ['bytes=5-18446744073709551615', 5, 25],
  ['bytes=5-18446744073709551616', 5, 25],
  [`bytes=5-${'9'.repeat(400)}`, 5, 25],
  [`bytes=-${'9'.repeat(400)}`, 0, 25],
  ['bytes=-9223372036854775808', 0, 25],
  ['bytes=-18446744073709551617', 0, 25],
]

const beyond: readonly string[] = ['bytes=26-', 'bytes=26-26', 'bytes=26-30', 'bytes=27-', 'bytes=1000-2000', 'bytes=-0', 'bytes=-000', 'bytes=9007199254740992-', 'bytes=9007199254740993-9007199254740994']
const farBeyond: readonly string[] = ['bytes=9223372036854775808-', 'bytes=18446744073709551615-', 'bytes=18446744073709551616-', `bytes=${'9'.repeat(400)}-`, `bytes=${'9'.repeat(400)}-${'9'.repeat(401)}`]

const malformed: readonly string[] = [
  'bytes=9-5',
  'bytes=9007199254740993-9007199254740992',
  'bytes=-',
  'bytes=--1',
  'bytes=-1-',
  'bytes=1--2',
  'bytes=1',
  'bytes=a-b',
  'bytes=1-b',
  'bytes=0x1-2',
  'bytes=1.0-2',
  'bytes=1e1-20',
  'bytes=+1-2',
  'bytes=1-2;3',
  'bytes=1 - 2',
  'bytes=1-2x',
  'bytes=٣-٤',
]
const ignoredByBoth: readonly string[] = ['bytes', 'bytes 1-2', 'bytes:1-2', 'byte=1-2', 'bytess=1-2', 'rows=0-1', 'none=0-1', 'seconds=1-2', '1-2', '=1-2', 'bytes = 1-2', '"bytes=1-2"']

const range = (value: string): string[] => [`range: ${Buffer.from(value).toString('latin1')}`]

export const singleRangeRows: readonly HttpRow[] = [
  get('letters.txt', [], whole('letters.txt'), { nginx: 'same' }),
  ...satisfiable.map(([value, first, last]) => get('letters.txt', range(value), part('letters.txt', first, last), { nginx: 'same' })),
  ...huge.map(([value, first, last]) =>
    get('letters.txt', range(value), part('letters.txt', first, last), { nginx: { differs: 'nginx answers 416 to numbers beyond 2^63; section 14.1.2 takes any' } }),
  ),
  ...beyond.map((value) => get('letters.txt', range(value), unsatisfiable('letters.txt'), { nginx: 'same' })),
  ...farBeyond.map((value) => get('letters.txt', range(value), unsatisfiable('letters.txt'), { nginx: 'same' })),
  ...malformed.map((value) => get('letters.txt', range(value), whole('letters.txt'), nginxRefuses)),
  get('letters.txt', range('bytes='), whole('letters.txt'), { nginx: 'same' }),
  ...ignoredByBoth.map((value) => get('letters.txt', range(value), whole('letters.txt'), { nginx: 'same' })),
  get('letters.txt', range(''), whole('letters.txt'), { nginx: 'same' }),
  get('letters.txt', range('BYTES=1-2'), part('letters.txt', 1, 2), { nginx: 'same' }),
  get('letters.txt', range('bYtEs=1-2'), part('letters.txt', 1, 2), { nginx: 'same' }),
  get('letters.txt', range('bytes= 1-2'), part('letters.txt', 1, 2), { nginx: 'same' }),
  get('letters.txt', range('bytes=1-2 '), part('letters.txt', 1, 2), { nginx: 'same' }),
  get('letters.txt', ['RANGE: bytes=1-2'], part('letters.txt', 1, 2), { nginx: 'same' }),
  get('letters.txt', ['range:bytes=1-2'], part('letters.txt', 1, 2), { nginx: 'same' }),
  get('letters.txt', ['range:\t bytes=1-2 \t'], part('letters.txt', 1, 2)),
  get('letters.txt', ['range: bytes=0-0', 'range: bytes=2-2'], whole('letters.txt'), { nginx: { differs: 'nginx takes the first of several Range lines; joined to a list they are malformed' } }),
  get('letters.txt', ['range: bytes=0-0', 'range: 2-2'], part('letters.txt', 0, 2), { nginx: { differs: 'nginx takes the first of several Range lines; a list may be split into lines (section 5.3)' } }),
  get('digits.bin', range('bytes=9996-'), part('digits.bin', 9996, 9999), { nginx: 'same' }),
  get('digits.bin', range('bytes=4000-8000'), part('digits.bin', 4000, 8000), { nginx: 'same' }),
  row('the same range twice on one connection', request(`GET ${at('digits.bin')}`, range('bytes=1-5')), part('digits.bin', 1, 5), { nginx: 'same' }),
]

const suffixOfNothing = { nginx: { differs: 'nginx answers 200 or 416 to ranges of an empty file the other way round; section 14.1.2: no first position is in it, and what cannot be read is ignored' } } as const

export const tinyFileRows: readonly HttpRow[] = [
  get('empty', [], whole('empty'), { nginx: 'same' }),
  get('empty', range('bytes=0-'), unsatisfiable('empty'), suffixOfNothing),
  get('empty', range('bytes=0-0'), unsatisfiable('empty'), suffixOfNothing),
  get('empty', range('bytes=5-9'), unsatisfiable('empty'), { nginx: 'same' }),
  get('empty', range('bytes=-0'), unsatisfiable('empty'), suffixOfNothing),
  get('empty', range('bytes=-1'), whole('empty'), { nginx: 'same' }),
  get('empty', range('bytes=-5'), whole('empty'), { nginx: 'same' }),
  get('empty', range('bytes=0-,-1'), whole('empty'), { nginx: 'same' }),
  get('empty', range('bytes=0-0,1-1'), unsatisfiable('empty'), suffixOfNothing),
  get('empty.txt', range('bytes=x'), whole('empty.txt', { 'content-type': 'text/plain; charset=utf-8' }), suffixOfNothing),
  get('one', [], whole('one'), { nginx: 'same' }),
  get('one', range('bytes=0-0'), part('one', 0, 0), { nginx: 'same' }),
  get('one', range('bytes=0-'), part('one', 0, 0), { nginx: 'same' }),
  get('one', range('bytes=-1'), part('one', 0, 0), { nginx: 'same' }),
  get('one', range('bytes=-5'), part('one', 0, 0), { nginx: 'same' }),
  get('one', range('bytes=1-1'), unsatisfiable('one'), { nginx: 'same' }),
  get('one', range('bytes=1-'), unsatisfiable('one'), { nginx: 'same' }),
]

/** Several ranges: multipart/byteranges, and the bounds on what they may cost (RFC 9110 sections 14.2 and 15.3.7.2). */
import { type HttpRow, type RowMore, get, part, parts, unsatisfiable, whole } from './row.ts'

const name = 'digits.bin'
const range = (value: string): string[] => [`range: ${value}`]
const same: RowMore = { nginx: 'same' }
const joined: RowMore = { nginx: { differs: 'nginx sends each range as it was asked for; section 15.3.7.2 lets a server join those that overlap or lie close' } }
const nginxRefuses: RowMore = { nginx: { differs: 'nginx answers 416 to a list that it cannot read; section 14.2 has a server ignore it' } }
const emptyMembers: RowMore = { nginx: { differs: 'nginx answers 416 to empty members of a list; section 5.6.1.2 has a recipient skip them' } }

const list = (count: number, step: number): string => Array.from({ length: count }, (_, index) => `${index * step}-${index * step}`).join(',')
const each = (count: number, step: number): (readonly [number, number])[] => Array.from({ length: count }, (_, index) => [index * step, index * step] as const)

export const severalRangeRows: readonly HttpRow[] = [
  get(name, range('bytes=0-0,1000-1000'), parts(name, [0, 0], [1000, 1000]), same),
  get(name, range('bytes=0-3,5000-5003,9996-9999'), parts(name, [0, 3], [5000, 5003], [9996, 9999]), same),
  get(name, range('bytes=0-3, -4'), parts(name, [0, 3], [9996, 9999]), same),
  get(name, range('bytes=-4, 0-3'), parts(name, [9996, 9999], [0, 3]), same),
  get(name, range('bytes=5000-5009,0-9'), parts(name, [5000, 5009], [0, 9]), same),
  get(name, range('bytes=0-0 , 500-500'), parts(name, [0, 0], [500, 500]), same),
  get(name, range('bytes=0-0\t,\t500-500'), parts(name, [0, 0], [500, 500]), nginxRefuses),
  get(name, range('bytes=0-3,9000-'), parts(name, [0, 3], [9000, 9999]), same),
  get(name, range('bytes=0-3,9000-99999'), parts(name, [0, 3], [9000, 9999]), same),
  get(name, range('bytes=0-3,20000-20001,400-403'), parts(name, [0, 3], [400, 403]), same),
  get(name, range('bytes=0-3,20000-'), part(name, 0, 3), same),
  get(name, range('bytes=20000-,30000-30001'), unsatisfiable(name), same),
  get(name, range('bytes=-0,20000-'), unsatisfiable(name), same),
  get(name, range(`bytes=0-3,${'9'.repeat(400)}-`), part(name, 0, 3), { nginx: { differs: 'nginx answers 416 to numbers beyond 2^63; section 14.1.2 takes any' } }),
  get(name, range('bytes=0-3,5000-4000'), whole(name), nginxRefuses),
  get(name, range('bytes=0-3,x'), whole(name), nginxRefuses),
  get(name, range('bytes=0-3,-'), whole(name), nginxRefuses),
  get(name, range('bytes=0-3;500-503'), whole(name), nginxRefuses),
  get(name, range('bytes=0-3 500-503'), whole(name), nginxRefuses),
  get(name, range('bytes=0-3,bytes=500-503'), whole(name), nginxRefuses),
  get(name, range('bytes=,'), whole(name), nginxRefuses),
  get(name, range('bytes=,,,,'), whole(name), nginxRefuses),
  get(name, range('bytes=0-3,'), part(name, 0, 3), emptyMembers),
  get(name, range('bytes=,0-3'), part(name, 0, 3), emptyMembers),
  get(name, range('bytes=0-3,,500-503'), parts(name, [0, 3], [500, 503]), emptyMembers),
  get(name, ['range: bytes=0-3', 'range: 500-503'], parts(name, [0, 3], [500, 503]), {
    nginx: { differs: 'nginx takes the first of several Range lines; a list may be split into lines (section 5.3)' },
  }),
  get(name, range('bytes=0-9,10-19'), part(name, 0, 19), joined),
  get(name, range('bytes=10-19,0-9'), part(name, 0, 19), joined),
  get(name, range('bytes=0-9,5-14'), part(name, 0, 14), joined),
  get(name, range('bytes=0-9,0-9'), part(name, 0, 9), joined),
  get(name, range('bytes=0-99,40-49'), part(name, 0, 99), joined),
  get(name, range('bytes=40-49,0-99,2000-2000'), parts(name, [0, 99], [2000, 2000]), joined),
  get(name, range('bytes=0-9,137-140'), part(name, 0, 140), joined),
  get(name, range('bytes=0-9,138-140'), parts(name, [0, 9], [138, 140]), same),
  get(name, range('bytes=2000-2009,0-9,2005-2014'), parts(name, [2000, 2014], [0, 9]), joined),
  get(name, range('bytes=0-4999,5000-9999'), part(name, 0, 9999), joined),
  get(name, range('bytes=0-,0-'), part(name, 0, 9999), { nginx: { differs: 'nginx sends the whole file with 200 when the ranges are longer than it' } }),
  get(name, range('bytes=0-,-10000'), part(name, 0, 9999), { nginx: { differs: 'nginx sends the whole file with 200 when the ranges are longer than it' } }),
  get(name, range(`bytes=${'0-,'.repeat(150)}0-`), part(name, 0, 9999), { nginx: { differs: 'nginx sends the whole file with 200 when the ranges are longer than it' } }),
  get(name, range(`bytes=${list(50, 200)}`), parts(name, ...each(50, 200)), same),
  get(name, range(`bytes=${list(200, 1)}`), part(name, 0, 199), joined),
  get(name, range(`bytes=${list(201, 1)}`), whole(name), { nginx: { differs: 'nginx has no limit by default; more than 200 ranges are ignored here (section 14.2)' } }),
  get(name, range(`bytes=${list(2000, 1)}`), whole(name), { nginx: { differs: 'nginx refuses header lines of more than 8 KiB; more than 200 ranges are ignored here' } }),
  get(name, range(`bytes=0-3${','.repeat(1000)}`), whole(name), { nginx: { differs: 'nginx answers 416 to empty members of a list' } }),
]

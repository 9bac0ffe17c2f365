import { describe, expect, it } from 'vitest'
import type { PackId } from '../../../shared/format/entry.ts'
import { checkVolumeName, routes } from '../../../shared/wire/routes.ts'

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an id of the right form, written out
const pack = 'd01ARZ3NDEKTSV4RRFFQ69G5FAV' as PackId

describe('routes', () => {
  it.each([
    [routes.file('v', '/a b/ü'), '/v1/v/files/a%20b/%C3%BC'],
    [routes.file('v', '/'), '/v1/v/files/'],
    [routes.file('v', '/@1/x', 12), '/v1/v/@12/%401/x'],
    [routes.stat('v', '/x\udcff'), '/v1/v/stat/x%FF'],
    [routes.stat('v', '/x', { seq: 3 }), '/v1/v/stat/x?seq=3'],
    [routes.list('v', '/', { after: 'a&b=c', limit: 5 }), '/v1/v/list/?after=a%26b%3Dc&limit=5'],
    [routes.manifest('v', '/x', { range: { start: 0, end: 9 } }), '/v1/v/manifest/x?start=0&end=9'],
    [routes.slice('v', pack, { start: 0, end: 9 }), `/v1/v/packs/${pack}/0-9`],
    [routes.packs('v', pack), `/v1/v/packs?pack=${pack}`],
    [routes.events('v', { after: 0, waitMs: 5 }), '/v1/v/events?after=0&wait=5'],
    [routes.log('v', { before: 9 }), '/v1/v/log?before=9'],
  ])('%s', (actual, expected) => {
    expect(actual).toBe(expected)
  })
})

describe('checkVolumeName', () => {
  it.each(['a', 'demo', 'Demo-2.x_y', 'x'.repeat(63), '0'])('%s can be', (name) => {
    expect(() => checkVolumeName(name)).not.toThrow()
  })

  it.each(['', '.', '..', '-x', '@1', 'a/b', 'a b', 'ü', 'x'.repeat(64), 'a\n'])('%j cannot', (name) => {
    expect(() => checkVolumeName(name)).toThrow(/Cannot use the volume name/)
  })
})

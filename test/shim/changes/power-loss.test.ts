/** What stands on disk after a loss of power at the worst moment: the old content or the new, never what is neither. */
import { expect, test } from 'vitest'
import { PowerBed } from '../../support/power-bed.ts'
import { utf8 } from '../../support/test-volume.ts'

const seeds = Array.from({ length: 40 }, (_, index) => index + 1)
const [old, fresh] = ['the old content', 'what was written anew']

test('a file that takes the place of another while the journal is being synced', () => {
  const found = new Set<string | undefined>()
  for (const seed of seeds) {
    const bed = new PowerBed(seed)
    bed.create('f', old)
    bed.create('other', '')
    bed.changes.sync([bed.changes.node(bed.idOf('f'))!.body!], () => undefined)
    bed.proceed(100)
    // The journal's sync waits for this one's bytes …
    bed.create('t1', 'one')
    bed.rename('t1', 'other')
    bed.changes.sync([], () => undefined)
    bed.proceed(1)
    // … when the next comes, which the journal's sync makes durable too.
    bed.create('t2', fresh)
    bed.rename('t2', 'f')
    bed.proceed(seed % 9)
    bed.restart('power')
    expect([old, fresh], `seed ${seed}`).toContain(bed.text('f'))
    found.add(bed.text('f'))
  }
  expect(found).toContain(old)
})

test('a file that takes the place of another when the disk writes the journal by itself', () => {
  for (const seed of seeds) {
    const bed = new PowerBed(seed)
    bed.create('f', old)
    bed.changes.sync([bed.changes.node(bed.idOf('f'))!.body!], () => undefined)
    bed.proceed(100)
    bed.create('t', fresh)
    bed.rename('t', 'f')
    bed.restart('power')
    expect([old, fresh], `seed ${seed}`).toContain(bed.text('f'))
  }
})

test('a file that is emptied and written anew', () => {
  for (const seed of seeds) {
    const bed = new PowerBed(seed)
    bed.create('f', old)
    bed.create('copy', old)
    for (const name of ['f', 'copy']) bed.changes.sync([bed.changes.node(bed.idOf(name))!.body!], () => undefined)
    bed.proceed(100)
    const body = bed.empty('f')
    body.write(0, utf8(fresh))
    // Of what comes after it nothing counts without it.
    bed.changes.noteClosed(bed.idOf('f'))
    bed.remove('copy')
    if (seed % 2 === 0) bed.syncAll()
    bed.restart('power')
    if (seed % 2 === 0) expect([bed.text('f'), bed.text('copy')], `seed ${seed}`).toEqual([fresh, undefined])
    else expect([old, fresh], `seed ${seed}`).toContain(bed.text('f'))
  }
})

test('a file that is emptied, and written anew when its emptiness is durable, is durable some seconds after it is closed', () => {
  for (const seed of seeds) {
    const bed = new PowerBed(seed)
    bed.create('f', old)
    bed.create('copy', old)
    bed.syncAll()
    const body = bed.empty('f')
    bed.syncAll()
    body.write(0, utf8(fresh))
    bed.changes.noteClosed(bed.idOf('f'))
    bed.remove('copy')
    if (seed % 2 === 0) bed.wait()
    bed.proceed(100)
    bed.restart('power')
    if (seed % 2 === 0) expect([bed.text('f'), bed.text('copy')], `seed ${seed}`).toEqual([fresh, undefined])
    // The old one goes only when the new one is there.
    else expect(bed.text('copy') !== undefined || bed.text('f') === fresh, `seed ${seed}`).toBe(true)
  }
})

test('what was not durable when the process ended is made so by the next', () => {
  for (const seed of seeds) {
    const bed = new PowerBed(seed)
    bed.create('f', old)
    bed.syncAll()
    bed.create('t', fresh)
    bed.rename('t', 'f')
    bed.restart('kill')
    expect(bed.text('f')).toBe(fresh)
    bed.syncAll()
    bed.restart('power')
    expect(bed.text('f'), `seed ${seed}`).toBe(fresh)
  }
})

test('a published file that was opened for writing, and not written, is what was published', () => {
  const found = new Set<boolean>()
  for (const seed of seeds) {
    const bed = new PowerBed(seed)
    const id = bed.openPublished('f', old)
    // The disk writes the journal by itself, or somebody syncs.
    if (seed % 4 === 0) bed.syncAll()
    else {
      bed.wait()
      bed.proceed(seed % 9)
    }
    bed.restart('power')
    const body = bed.changes.node(id)?.body
    if (body !== undefined) expect(bed.text('f'), `seed ${seed}`).toBe(old)
    expect(bed.changes.pending().changeCount, `seed ${seed}`).toBe(0)
    found.add(body !== undefined)
  }
  expect(found).toEqual(new Set([true, false]))
})

const published = new Uint8Array(16_384).fill(5)
/** Values in a part of a file. */
const values = (bytes: Uint8Array, start: number, end: number): Set<number> => new Set(bytes.subarray(start, end))

test('a part of a published file that is written where others were written before', () => {
  for (const seed of seeds) {
    const bed = new PowerBed(seed, published)
    bed.createPartial('f', published)
    bed.write('f', 4096, new Uint8Array(512).fill(6))
    bed.syncAll()
    // The block is there, so what is lost of it leaves no hole.
    bed.write('f', 6144, new Uint8Array(512).fill(7))
    // Or the disk writes the journal by itself.
    if (seed % 4 === 0) bed.wait()
    bed.proceed(seed % 9)
    bed.restart('power')
    const bytes = bed.bytes('f')
    expect(values(bytes, 4096, 4608), `seed ${seed}`).toEqual(new Set([6]))
    expect([5, 7].some((value) => values(bytes, 6144, 6656).isSubsetOf(new Set([value]))), `seed ${seed}`).toBe(true)
    expect(values(bytes, 6656, 8192)).toEqual(new Set([5]))
  }
})

test('what a loss of power took of a part is not taken for written at the start after the next', () => {
  for (const seed of seeds) {
    const bed = new PowerBed(seed, published)
    const body = bed.createPartial('f', published)
    bed.syncAll()
    // As a journal has it whose records went ahead of the bytes.
    expect(bed.changes.noteWritten(bed.idOf('f'), 4096, 8192, true)).toBe(0)
    expect(body.isLess).toBe(false)
    bed.restart('kill')
    expect(values(bed.bytes('f'), 4096, 8192)).toEqual(new Set([5]))
    bed.write('f', 5120, new Uint8Array(512).fill(7))
    bed.restart('kill')
    const bytes = bed.bytes('f')
    expect(values(bytes, 5120, 5632), `seed ${seed}`).toEqual(new Set([7]))
    expect(values(bytes, 4096, 5120), `seed ${seed}`).toEqual(new Set([5]))
    expect(values(bytes, 5632, 8192), `seed ${seed}`).toEqual(new Set([5]))
  }
})

test('a published file all of whose bytes are written anew is that after a kill, and what is written to it then', () => {
  const bed = new PowerBed(1, published)
  bed.createPartial('f', published)
  bed.write('f', 0, new Uint8Array(8192).fill(6))
  bed.write('f', 8192, new Uint8Array(8192).fill(6))
  bed.restart('kill')
  expect(values(bed.bytes('f'), 0, 16_384)).toEqual(new Set([6]))
  bed.write('f', 100, new Uint8Array(50).fill(7))
  bed.restart('kill')
  expect(values(bed.bytes('f'), 100, 150)).toEqual(new Set([7]))
  expect(values(bed.bytes('f'), 150, 16_384)).toEqual(new Set([6]))
})

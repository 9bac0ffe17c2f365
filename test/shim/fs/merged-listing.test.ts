import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HandlerBed, file } from '../../support/handler-bed.ts'

const nameOf = (index: number): string => `n${String(index).padStart(4, '0')}`
const names = async (bed: HandlerBed, path: string, options: { isPlus?: boolean; limit?: number } = {}): Promise<string[]> => (await bed.list(path, options)).map(({ name }) => name).slice(2)

/** A listing from an offset, by replies of a few, to its end. */
async function readOn(bed: HandlerBed, node: number, handle: number, from: number, limit: number): Promise<string[]> {
  const all: string[] = []
  for (let offset = from; ; ) {
    const part = await bed.read(node, handle, offset, { limit, isPlus: true })
    if (typeof part === 'number') throw new Error(`readdir: ${part}`)
    if (part.length === 0) return all
    all.push(...part.map(({ name }) => name))
    offset = part.at(-1)!.offset
  }
}

test('a listing is the snapshot with the changes over it, whatever these are', async () => {
  const step = fc.record({ index: fc.integer({ min: 0, max: 1200 }), isRemoval: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 400 }), fc.boolean(), async (steps, limit, isPlus) => {
      const model = new Set(Array.from({ length: 600 }, (_, index) => nameOf(index * 2)))
      const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, ...[...model].map((name) => file(`/d/${name}`, ''))], { isWritable: true })
      for (const { index, isRemoval } of steps) {
        const name = nameOf(index)
        if (isRemoval) {
          expect(await bed.unlink(`/d/${name}`)).toBe(model.delete(name) ? 0 : -2)
        } else if (!model.has(name)) {
          await bed.touch(`/d/${name}`)
          model.add(name)
        }
      }
      expect(await names(bed, '/d', { limit, isPlus })).toEqual([...model].toSorted())
    }),
    { numRuns: 12 },
  )
})

test('who removes what he reads comes to an end and sees everything, in a directory of the snapshot and in a new one', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, ...Array.from({ length: 1000 }, (_, index) => file(`/d/${nameOf(index)}`, ''))], { isWritable: true })
  await bed.mkdir('/e')
  for (let index = 0; index < 1000; index += 1) await bed.touch(`/e/${nameOf(index)}`)
  for (const path of ['/d', '/e']) {
    const node = await bed.node(path)
    const handle = await bed.openDirectory(node)
    const seen: string[] = []
    for (let offset = 0; ; ) {
      const part = await bed.read(node, handle, offset, { limit: 70, isPlus: true })
      if (typeof part === 'number') throw new Error(`readdir: ${part}`)
      if (part.length === 0) break
      for (const { name } of part) {
        seen.push(name)
        if (name !== '.' && name !== '..') expect(await bed.unlink(`${path}/${name}`)).toBe(0)
      }
      offset = part.at(-1)!.offset
    }
    expect(seen).toHaveLength(1002)
    expect(await bed.rmdir(path)).toBe(0)
  }
})

test('a listing under way shows neither what came nor hides what went since, and gives the kernel nothing of that to keep', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, ...['b', 'c', 'd'].map((name) => file(`/d/${name}`, ''))], { isWritable: true })
  await bed.touch('/d/e')
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  expect(await bed.read(node, handle, 0, { limit: 3 })).toMatchObject([{ name: '.' }, { name: '..' }, { name: 'b' }])
  await bed.touch('/d/a')
  await bed.touch('/d/cc')
  await bed.unlink('/d/d')
  await bed.unlink('/d/e')
  const rest = await bed.read(node, handle, 3, { isPlus: true })
  expect(rest).toMatchObject([{ name: 'c' }, { name: 'd', nodeId: 0 }, { name: 'e', nodeId: 0 }])
  expect(Array.isArray(rest) && rest[0]!.nodeId !== 0).toBe(true)
  expect(await readOn(bed, node, handle, 0, 2)).toEqual(['.', '..', 'a', 'b', 'c', 'cc'])
})

test('a directory of many new names can be read from any offset', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.mkdir('/d')
  const all = Array.from({ length: 1500 }, (_, index) => nameOf(index))
  for (const name of all) await bed.touch(`/d/${name}`)
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  await bed.read(node, handle, 0, { limit: 1 })
  for (const offset of [1400, 2, 700, 1502]) expect(await readOn(bed, node, handle, offset, 333)).toEqual(all.slice(offset - 2))
})

test('the kernel keeps no listing of a directory with changes', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }], { isWritable: true })
  const node = await bed.node('/d')
  expect(bed.handler.opendir(node, { uid: 0, gid: 0, pid: 1 })).toMatchObject({ cacheDirectory: true })
  await bed.touch('/d/f')
  expect(bed.handler.opendir(node, { uid: 0, gid: 0, pid: 1 })).toMatchObject({ cacheDirectory: false })
})

/** What a volume does over any store: run for every store, and for clients that stand in for one. */
import { describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../shared/store.ts'
import { diffSnapshots } from '../../shared/volume/diff.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { bytesOf, engineOf, expectBytes, inPieces, linesOf, newVolume, randomBytes, utf8 } from '../support/test-volume.ts'

/** `makeStore` gives an empty store, scoped to one volume; each further call of `open` another client of the same one. */
export function testVolumeOver(name: string, makeStore: () => Promise<() => Promise<ObjectStore>>): void {
  describe(`a volume over ${name}`, () => {
    test('is created, written, reopened and read', async () => {
      const open = await makeStore()
      const volume = await newVolume({ store: await open() })
      const body = randomBytes(1, 2_000_000)
      const writer = volume.writer({ packBytesMax: 500_000 })
      await writer.commit([
        { op: 'create', path: '/d/big', parents: true, ...(await writer.write(inPieces(body))) },
        { op: 'create', path: '/small', ...(await writer.write([utf8('text')])) },
        { op: 'link', path: '/d/big', to: '/again' },
      ])
      await volume.close()
      const again = await Volume.open(engineOf(await open(), { seed: 2 }))
      const head = await again.head()
      expect(await linesOf(head)).toEqual(['/ directory', '/again file 2000000 bytes', '/d directory', '/d/big file 2000000 bytes', '/small file text'])
      expectBytes(await bytesOf(head, '/again', { start: 123_456, end: 1_654_321 }), body.subarray(123_456, 1_654_321))
    })

    test('has one history for all who write to it', async () => {
      const open = await makeStore()
      await (await newVolume({ store: await open() })).close()
      const total = 24
      const commit = async (committer: number): Promise<number> => {
        const volume = await Volume.open(engineOf(await open(), { seed: 10 + committer, author: `c${committer}` }))
        const writer = volume.writer()
        const { seq } = await writer.commit([{ op: 'create', path: `/f${committer}`, ...(await writer.write([utf8(`${committer}`)])) }])
        await volume.close()
        return seq
      }
      const seqs = await Promise.all(Array.from({ length: total }, (_, committer) => commit(committer)))
      expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, index) => index + 2))
      const volume = await Volume.open(engineOf(await open(), { seed: 99 }))
      expect((await linesOf(await volume.head())).length).toBe(total + 1)
      const [first, second] = [await volume.at(1), await volume.at(2)]
      const made = await Array.fromAsync(diffSnapshots(first, second))
      expect(made.map(({ kind }) => kind)).toEqual(['root', 'name'])
    }, 60_000)
  })
}

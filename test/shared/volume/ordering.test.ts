/** The ordering law: whatever names something is written after it. Shown on every object of a volume with a rich history. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { aroundCalls } from '../../../edge/store/around.ts'
import { randomBelow } from '../../../shared/random.ts'
import { decodeEntry } from '../../../shared/format/entry-codec.ts'
import type { Content, Pointer } from '../../../shared/format/entry.ts'
import { ManifestPage } from '../../../shared/format/manifest-page.ts'
import { TreePage } from '../../../shared/format/tree-page.ts'
import { logKey, packKey } from '../../../shared/volume/keys.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { inPieces, newVolume, randomBytes } from '../../support/test-volume.ts'

test('nothing is written before what it names is durable', async () => {
  const begun = new Map<string, number>()
  const done = new Map<string, number>()
  let time = 0
  const random = new SeededRandom(11)
  // Creates take different times, so that a later one may be done first.
  const store = aroundCalls(new MemoryStore(), async (call, run) => {
    if (call.operation !== 'create') return run(call.signal)
    begun.set(call.key, (time += 1))
    for (let wait = randomBelow(random, 20); wait > 0; wait -= 1) await new Promise((resolve) => setImmediate(resolve))
    const made = await run(call.signal)
    done.set(call.key, (time += 1))
    return made
  })
  const volume = await newVolume({ store })
  const writer = volume.writer({ packBytesMax: 200_000 })
  for (let round = 0; round < 5; round += 1) {
    const operations = await Promise.all(
      Array.from({ length: 12 }, async (_, index): Promise<Operation> => {
        const body = randomBytes(round * 100 + index, index === 0 ? 3_000_000 : 500 + index * 4000)
        return { op: 'create', path: `/d${round % 3}/f${round}-${index}`, parents: true, ...(await writer.write(inPieces(body))) }
      }),
    )
    await writer.commit([...operations, { op: 'link', path: `/d${round % 3}/f${round}-1`, to: `/link-${round}` }])
  }

  const expectBefore = (pointer: Pointer, namer: string): void => {
    const key = packKey(pointer.pack)
    if (key !== namer) expect(done.get(key), `${key} is done before ${namer} begins`).toBeLessThan(begun.get(namer)!)
  }
  let pageCount = 0
  let seen = 0
  for (let seq = 2; seq <= 6; seq += 1) {
    const snapshot = await volume.at(seq)
    const walked = new Set<string>()
    await visit(snapshot, logKey(seq), expectBefore, walked)
    pageCount += walked.size
    seen += 1
  }
  expect(seen).toBe(5)
  expect(pageCount).toBeGreaterThan(20)
  expect([...begun.keys()].filter((key) => key.startsWith('data/')).length).toBeGreaterThan(50)
  expect([...begun.keys()].filter((key) => key.startsWith('meta/')).length).toBeGreaterThan(4)
})

type ExpectBefore = (pointer: Pointer, namer: string) => void

/** Every pointer that a snapshot reaches, with the object that holds it. */
async function visit(snapshot: Snapshot, record: string, expectBefore: ExpectBefore, walked: Set<string>): Promise<void> {
  const { directory, inodes } = snapshot.root
  await visitContent(snapshot, directory.content, record, expectBefore, walked)
  if (inodes !== undefined) await visitTree(snapshot, inodes, record, expectBefore, walked)
}

async function visitContent(snapshot: Snapshot, content: Content, namer: string, expectBefore: ExpectBefore, walked: Set<string>): Promise<void> {
  if (content.kind === 'tree' && content.root.pointer !== undefined) await visitTree(snapshot, content.root.pointer, namer, expectBefore, walked)
  if (content.kind !== 'manifest') return
  const { root } = content
  if (root.kind === 'page') await visitManifest(snapshot, root.pointer, namer, expectBefore, walked)
  else expectRuns(new ManifestPage(root.page, undefined), namer, expectBefore)
}

async function visitTree(snapshot: Snapshot, pointer: Pointer, namer: string, expectBefore: ExpectBefore, walked: Set<string>): Promise<void> {
  expectBefore(pointer, namer)
  walked.add(pointer.hash)
  const page = new TreePage(await snapshot.pages.load(pointer), pointer)
  const holder = packKey(pointer.pack)
  for (let index = 0; index < page.count; index += 1) {
    if (page.level > 0) await visitTree(snapshot, page.child(index), holder, expectBefore, walked)
    else await visitContent(snapshot, decodeEntry(page.value(index)).content, holder, expectBefore, walked)
  }
}

async function visitManifest(snapshot: Snapshot, pointer: Pointer, namer: string, expectBefore: ExpectBefore, walked: Set<string>): Promise<void> {
  expectBefore(pointer, namer)
  walked.add(pointer.hash)
  const page = new ManifestPage(await snapshot.pages.load(pointer), pointer)
  const holder = packKey(pointer.pack)
  if (page.level === 0) expectRuns(page, holder, expectBefore)
  else for (let index = 0; index < page.count; index += 1) await visitManifest(snapshot, page.child(index).pointer, holder, expectBefore, walked)
}

function expectRuns(page: ManifestPage, holder: string, expectBefore: ExpectBefore): void {
  for (let index = 0; index < page.count; index += 1) {
    const run = page.run(index)
    if (run.kind === 'chunk') expectBefore(run.pointer, holder)
  }
}

import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { type DiffOptions, type Difference, diffSnapshots } from '../../../shared/volume/diff.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { engineOf, newVolume, notingStore, utf8 } from '../../support/test-volume.ts'

function file(path: string, text = 'x'): Operation {
  return { op: 'create', path, content: { kind: 'inline', bytes: utf8(text) }, size: text.length, parents: true }
}

const base = [file('/a'), file('/d/b'), file('/d/e/c'), file('/quiet/q')]

describe('a difference', () => {
  test('of a snapshot to itself is nothing', async () => {
    expect(await diffAfter([])).toEqual([])
  })

  test('is every name that came, went or changed, and the directories above it', async () => {
    const made = await diffAfter([file('/new'), { op: 'unlink', path: '/d/b' }, { op: 'setattr', path: '/d/e/c', mode: 0o600 }])
    expect(made).toEqual(['~ /', '~ d of /', '+ new of /', '- b of /d', '~ e of /d', '~ c of /d/e'])
  })

  test('of a renamed directory is two names, not what is in it', async () => {
    expect(await diffAfter([{ op: 'rename', path: '/d', to: '/f' }])).toEqual(['~ /', '- d of /', '+ f of /'])
  })

  test('may go into what came and went', async () => {
    const made = await diffAfter([{ op: 'rename', path: '/d', to: '/f' }], { isDeep: true })
    expect(made).toEqual(['~ /', '- d of /', '+ f of /', '- b of /d', '- e of /d', '- c of /d/e', '+ b of /f', '+ e of /f', '+ c of /f/e'])
  })

  test('of a directory that took a file’s name goes both ways', async () => {
    const made = await diffAfter([{ op: 'unlink', path: '/a' }, file('/a/inside')], { isDeep: true })
    expect(made).toEqual(['~ /', '~ a of /', '+ inside of /a'])
  })

  test('tells inodes of the inode tree apart', async () => {
    const linked = await diffAfter([{ op: 'link', path: '/a', to: '/z' }])
    expect(linked).toEqual(['~ /', '~ a of /', '+ z of /', '+ inode'])
  })

  test('of the root is the root’s own attributes', async () => {
    expect(await diffAfter([{ op: 'setattr', path: '/', mode: 0o700 }])).toEqual(['~ /'])
  })
})

test('a difference costs what changed', async () => {
  const inner = new MemoryStore()
  const volume = await newVolume({ store: inner })
  const many = Array.from({ length: 20_000 }, (_, index) => file(`/d${index % 200}/some-file-with-a-rather-long-name-${index}`, 'x'.repeat(100)))
  const before = (await volume.writer().commit(many)).snapshot
  const after = (await volume.writer().commit([file('/d7/new')])).snapshot
  const { store, calls } = notingStore(inner)
  const cold = await Volume.open(engineOf(store))
  const snapshots = [await cold.at(before.seq), await cold.at(after.seq)] as const
  calls.length = 0
  expect(await linesOf(...snapshots)).toEqual(['~ /', '~ d7 of /', '+ new of /d7'])
  expect(calls.length).toBeLessThan(6)
})

async function diffAfter(operations: readonly Operation[], options?: DiffOptions): Promise<string[]> {
  let time = 0
  const volume = await newVolume({ clock: { now: () => (time += 1000), sleep: () => Promise.resolve() } })
  const before = (await volume.writer().commit(base)).snapshot
  const after = operations.length === 0 ? before : (await volume.writer().commit(operations)).snapshot
  return linesOf(before, after, options)
}

async function linesOf(before: Snapshot, after: Snapshot, options?: DiffOptions): Promise<string[]> {
  const lines: string[] = []
  for await (const difference of diffSnapshots(before, after, options)) lines.push(lineOf(difference))
  return lines
}

function lineOf(difference: Difference): string {
  const sign = difference.before === undefined ? '+' : difference.after === undefined ? '-' : '~'
  if (difference.kind === 'root') return `${sign} /`
  return difference.kind === 'inode' ? `${sign} inode` : `${sign} ${difference.name} of ${difference.directoryPath}`
}

/** Two commits made from the same snapshot: each row is what stood there, what they did, what we did, and what must come of it. */
import { describe, expect, test } from 'vitest'
import type { Operation } from '../../../shared/volume/operation.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import type { Volume } from '../../../shared/volume/volume.ts'
import { hashOf } from '../../support/hash-of.ts'
import { linesOf, newVolume, utf8 } from '../../support/test-volume.ts'

function file(path: string, text: string, more: object = {}): Operation {
  return { op: 'create', path, content: { kind: 'inline', bytes: utf8(text) }, size: utf8(text).length, ...more }
}

function write(path: string, text: string): Operation {
  return { op: 'write', path, content: { kind: 'inline', bytes: utf8(text) }, size: utf8(text).length }
}

const us = 'conflict-us-4'

interface Row {
  readonly what: string
  readonly base: readonly Operation[]
  readonly theirs: readonly Operation[]
  readonly ours: readonly Operation[]
  /** Lines of the tree afterwards, without the root. */
  readonly becomes: readonly string[]
  readonly conflicts?: readonly (readonly [path: string, keptAs: string])[]
}

const rows: readonly Row[] = [
  {
    what: 'different names both go through',
    base: [],
    theirs: [file('/a', 'theirs')],
    ours: [file('/b', 'ours')],
    becomes: ['/a file theirs', '/b file ours'],
  },
  {
    what: 'the same directory is made once',
    base: [],
    theirs: [{ op: 'mkdir', path: '/d' }, file('/d/a', 'theirs')],
    ours: [{ op: 'mkdir', path: '/d' }, file('/d/b', 'ours')],
    becomes: ['/d directory', '/d/a file theirs', '/d/b file ours'],
  },
  {
    what: 'the same file with the same content is no conflict',
    base: [],
    theirs: [file('/a', 'same')],
    ours: [file('/a', 'same')],
    becomes: ['/a file same'],
  },
  {
    what: 'two files of one name are both kept',
    base: [],
    theirs: [file('/a', 'theirs')],
    ours: [file('/a', 'ours')],
    becomes: ['/a file theirs', `/a.${us} file ours`],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'later operations on a diverted path follow it',
    base: [],
    theirs: [file('/a', 'theirs')],
    ours: [{ op: 'mkdir', path: '/a' }, file('/a/x', 'ours'), { op: 'rename', path: '/a/x', to: '/a/y' }],
    becomes: ['/a file theirs', `/a.${us} directory`, `/a.${us}/y file ours`],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'two edits of one file are both kept',
    base: [file('/a', 'base', { mode: 0o600 })],
    theirs: [write('/a', 'theirs')],
    ours: [write('/a', 'ours'), { op: 'setattr', path: '/a', uid: 7 }],
    becomes: ['/a file theirs', `/a.${us} file ours`],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'an edit and a change of attributes go together',
    base: [file('/a', 'base')],
    theirs: [{ op: 'setattr', path: '/a', mode: 0o600 }],
    ours: [write('/a', 'ours')],
    becomes: ['/a file ours'],
  },
  {
    what: 'an edit survives a deletion',
    base: [file('/a', 'base')],
    theirs: [{ op: 'unlink', path: '/a' }],
    ours: [write('/a', 'ours')],
    becomes: ['/a file ours'],
  },
  {
    what: 'a deletion yields to an edit',
    base: [file('/a', 'base')],
    theirs: [write('/a', 'theirs')],
    ours: [{ op: 'unlink', path: '/a' }],
    becomes: ['/a file theirs'],
    conflicts: [['/a', '/a']],
  },
  {
    what: 'two deletions are one',
    base: [file('/a', 'base')],
    theirs: [{ op: 'unlink', path: '/a' }],
    ours: [{ op: 'unlink', path: '/a' }],
    becomes: [],
  },
  {
    what: 'a deletion that only attributes changed under happens',
    base: [file('/a', 'base')],
    theirs: [{ op: 'setattr', path: '/a', mode: 0o600 }],
    ours: [{ op: 'unlink', path: '/a' }],
    becomes: [],
  },
  {
    what: 'a file goes into a directory that was removed, which comes back',
    base: [{ op: 'mkdir', path: '/d' }],
    theirs: [{ op: 'rmdir', path: '/d' }],
    ours: [file('/d/e', 'ours')],
    becomes: ['/d directory', '/d/e file ours'],
  },
  {
    what: 'a file goes into a directory that became a file',
    base: [{ op: 'mkdir', path: '/d' }],
    theirs: [{ op: 'rmdir', path: '/d' }, file('/d', 'theirs')],
    ours: [file('/d/e', 'ours'), file('/d/f', 'ours')],
    becomes: ['/d file theirs', `/d.${us} directory`, `/d.${us}/e file ours`, `/d.${us}/f file ours`],
    conflicts: [['/d', `/d.${us}`]],
  },
  {
    what: 'a directory that was filled meanwhile is not removed',
    base: [{ op: 'mkdir', path: '/d' }],
    theirs: [file('/d/new', 'theirs')],
    ours: [{ op: 'rmdir', path: '/d' }],
    becomes: ['/d directory', '/d/new file theirs'],
    conflicts: [['/d', '/d']],
  },
  {
    what: 'removing a tree keeps what was added and edited in it meanwhile',
    base: [file('/d/keep', 'base', { parents: true }), file('/d/old', 'base'), file('/d/e/f', 'base', { parents: true })],
    theirs: [file('/d/new', 'theirs'), write('/d/keep', 'theirs')],
    ours: [{ op: 'rmdir', path: '/d', recursive: true }],
    becomes: ['/d directory', '/d/keep file theirs', '/d/new file theirs'],
    conflicts: [
      ['/d/keep', '/d/keep'],
      ['/d/new', '/d/new'],
    ],
  },
  {
    what: 'an untouched tree is removed whole',
    base: [file('/d/e/f', 'base', { parents: true })],
    theirs: [file('/other', 'theirs')],
    ours: [file('/d/mine', 'ours'), { op: 'rmdir', path: '/d', recursive: true }],
    becomes: ['/other file theirs'],
  },
  {
    what: 'a tree is removed with what the same batch put there, while others changed elsewhere in it',
    base: [file('/d/e/f', 'base', { parents: true })],
    theirs: [file('/d/new', 'theirs')],
    ours: [file('/d/mine', 'ours'), { op: 'rmdir', path: '/d', recursive: true }],
    becomes: ['/d directory', '/d/new file theirs'],
    conflicts: [['/d/new', '/d/new']],
  },
  {
    what: 'a rename takes the edit along',
    base: [file('/a', 'base')],
    theirs: [write('/a', 'theirs')],
    ours: [{ op: 'rename', path: '/a', to: '/b' }],
    becomes: ['/b file theirs'],
  },
  {
    what: 'an edit finds the file that was renamed',
    base: [file('/a', 'base')],
    theirs: [{ op: 'rename', path: '/a', to: '/b' }],
    ours: [write('/a', 'ours')],
    becomes: ['/b file ours'],
  },
  {
    what: 'a file goes into the directory that was renamed',
    base: [file('/d/x', 'base', { parents: true })],
    theirs: [{ op: 'rename', path: '/d', to: '/e' }],
    ours: [file('/d/y', 'ours'), write('/d/x', 'ours')],
    becomes: ['/e directory', '/e/x file ours', '/e/y file ours'],
  },
  {
    what: 'a rename of what was deleted brings it back under the new name',
    base: [file('/a', 'base')],
    theirs: [{ op: 'unlink', path: '/a' }],
    ours: [{ op: 'rename', path: '/a', to: '/b' }],
    becomes: ['/b file base'],
  },
  {
    what: 'a rename of a directory that was removed brings all of it back',
    base: [file('/d/e/f', 'base', { parents: true })],
    theirs: [{ op: 'rmdir', path: '/d', recursive: true }],
    ours: [{ op: 'rename', path: '/d/e', to: '/e' }],
    becomes: ['/e directory', '/e/f file base'],
  },
  {
    what: 'hard links in a directory that comes back are links again',
    base: [file('/d/a', 'base', { parents: true }), { op: 'link', path: '/d/a', to: '/d/b' }, { op: 'link', path: '/d/a', to: '/c' }],
    theirs: [{ op: 'rmdir', path: '/d', recursive: true }],
    ours: [{ op: 'rename', path: '/d', to: '/e' }],
    becomes: ['/c file base', '/e directory', '/e/a file base', '/e/b file base'],
  },
  {
    what: 'hard links that were all removed come back with their directory',
    base: [file('/d/a', 'base', { parents: true }), { op: 'link', path: '/d/a', to: '/d/b' }],
    theirs: [{ op: 'rmdir', path: '/d', recursive: true }],
    ours: [{ op: 'rename', path: '/d', to: '/e' }],
    becomes: ['/e directory', '/e/a file base', '/e/b file base'],
  },
  {
    what: 'of two renames of one file the first holds',
    base: [file('/a', 'base')],
    theirs: [{ op: 'rename', path: '/a', to: '/theirs' }],
    ours: [{ op: 'rename', path: '/a', to: '/ours' }],
    becomes: ['/theirs file base'],
    conflicts: [['/a', '/theirs']],
  },
  {
    what: 'of two renames of one directory the first holds, and what we put in goes there',
    base: [file('/d/x', 'base', { parents: true })],
    theirs: [{ op: 'rename', path: '/d', to: '/theirs' }],
    ours: [{ op: 'rename', path: '/d', to: '/ours' }, file('/ours/y', 'ours')],
    becomes: ['/theirs directory', '/theirs/x file base', '/theirs/y file ours'],
    conflicts: [['/d', '/theirs']],
  },
  {
    what: 'a rename onto a name that was taken meanwhile keeps both',
    base: [file('/a', 'ours')],
    theirs: [file('/b', 'theirs')],
    ours: [{ op: 'rename', path: '/a', to: '/b' }],
    becomes: ['/b file theirs', `/b.${us} file ours`],
    conflicts: [['/b', `/b.${us}`]],
  },
  {
    what: 'saving by rename keeps both edits',
    base: [file('/a', 'base')],
    theirs: [file('/a.tmp', 'theirs'), { op: 'rename', path: '/a.tmp', to: '/a' }],
    ours: [file('/a.tmp', 'ours'), { op: 'rename', path: '/a.tmp', to: '/a' }],
    becomes: ['/a file theirs', `/a.${us} file ours`],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'directories that were moved into each other do not vanish',
    base: [file('/x/1', 'x', { parents: true }), file('/y/2', 'y', { parents: true })],
    theirs: [{ op: 'rename', path: '/x', to: '/y/x' }],
    ours: [{ op: 'rename', path: '/y', to: '/x/y' }],
    becomes: ['/y directory', '/y/2 file y', '/y/x directory', '/y/x/1 file x'],
    conflicts: [['/y', '/y']],
  },
  {
    what: 'a link to what was deleted keeps the content',
    base: [file('/a', 'base')],
    theirs: [{ op: 'unlink', path: '/a' }],
    ours: [{ op: 'link', path: '/a', to: '/b' }],
    becomes: ['/b file base'],
  },
  {
    what: 'attributes of what was deleted are gone with it',
    base: [file('/a', 'base')],
    theirs: [{ op: 'unlink', path: '/a' }],
    ours: [{ op: 'setattr', path: '/a', mode: 0o600 }],
    becomes: [],
  },
  {
    what: 'two symlinks of one name are both kept',
    base: [],
    theirs: [{ op: 'symlink', path: '/s', target: 'theirs' }],
    ours: [{ op: 'symlink', path: '/s', target: 'ours' }],
    becomes: ['/s symlink theirs', `/s.${us} symlink ours`],
    conflicts: [['/s', `/s.${us}`]],
  },
  {
    what: 'what is to be overwritten whatever it is, is',
    base: [file('/a', 'base'), file('/b', 'base')],
    theirs: [write('/a', 'theirs'), write('/b', 'theirs')],
    ours: [
      { ...write('/a', 'ours'), expected: 'any' },
      { op: 'unlink', path: '/b', expected: 'any' },
    ],
    becomes: ['/a file ours'],
  },
]

describe('after a lost race', () => {
  test.each(rows)('$what', async ({ base, theirs, ours, becomes, conflicts = [] }) => {
    const { volume, head, result } = await race(base, theirs, ours)
    expect((await linesOf(head)).slice(1)).toEqual(becomes)
    expect(result.conflicts.map(({ path, keptAs }) => [path, keptAs])).toEqual(conflicts)
    const told = result.record.operations.filter(({ op }) => op === 'conflict')
    expect(told.map(({ path, to }) => [path, to])).toEqual(conflicts)
    await expectLinkCounts(await volume.head())
  })

  test('attributes of a conflict copy are those of the file', async () => {
    const { head } = await race([file('/a', 'base', { mode: 0o600, uid: 5 })], [write('/a', 'theirs')], [write('/a', 'ours')])
    expect(await head.resolve(`/a.${us}`)).toMatchObject({ mode: 0o600, uid: 5 })
  })

  test('who would rather not merge is refused, and nothing is committed', async () => {
    const volume = await newVolume()
    await volume.writer().commit([file('/a', 'base')])
    const base = await volume.head()
    await volume.writer().commit([write('/a', 'theirs')])
    const refused = volume.writer().commit([write('/a', 'ours')], { base, onConflict: 'refuse' })
    await expect(refused).rejects.toMatchObject({ code: 'stale', message: 'Cannot change "/a": another commit changed it meanwhile' })
    expect((await volume.head()).seq).toBe(3)
  })

  const recursive: Operation = { op: 'rmdir', path: '/d', recursive: true }
  const moveAway: Operation = { op: 'rename', path: '/d', to: '/e' }
  test.each<readonly [what: string, theirs: Operation, ours: Operation, why: string]>([
    ['a new file in a directory that was renamed', moveAway, file('/d/new', 'ours'), 'Cannot change "/d/new": another commit moved it meanwhile'],
    ['a file in a directory that was renamed', moveAway, file('/d/f', 'ours', { replace: true, expected: 'any' }), 'Cannot change "/d/f": another commit moved it meanwhile'],
    ['a file that was renamed', { op: 'rename', path: '/d/f', to: '/g' }, { ...write('/d/f', 'ours'), expected: 'any' }, 'Cannot change "/d/f": another commit moved it meanwhile'],
    ['a rename of what was renamed', moveAway, { op: 'rename', path: '/d', to: '/mine' }, 'Cannot change "/d": another commit changed it meanwhile'],
    ['a tree that got a file', file('/d/theirs', 'theirs'), recursive, 'Cannot change "/d/theirs": another commit changed it meanwhile'],
    ['a tree in which a file was edited', write('/d/f', 'theirs'), recursive, 'Cannot change "/d/f": another commit changed it meanwhile'],
  ])('who would rather not merge is refused: %s', async (_, theirs, ours, message) => {
    const volume = await newVolume()
    await volume.writer().commit([file('/d/f', 'base', { parents: true })])
    const base = await volume.head()
    await volume.writer().commit([theirs])
    const before = await linesOf(await volume.head())
    await expect(volume.writer().commit([ours], { base, onConflict: 'refuse' })).rejects.toMatchObject({ code: 'stale', message })
    expect((await volume.head()).seq).toBe(3)
    expect(await linesOf(await volume.head())).toEqual(before)
  })

  test('who would rather not merge removes a tree that nobody else has changed', async () => {
    const volume = await newVolume()
    await volume.writer().commit([file('/d/f', 'base', { parents: true })])
    const base = await volume.head()
    await volume.writer().commit([file('/other', 'theirs')])
    await volume.writer().commit([recursive], { base, onConflict: 'refuse' })
    expect(await linesOf(await volume.head())).toEqual(['/ directory', '/other file theirs'])
  })
})

describe('what the caller expects', () => {
  test('an entry that must not be there yet', async () => {
    const volume = await newVolume()
    await volume.writer().commit([file('/a', 'base')])
    const again = file('/a', 'again', { replace: true, expected: 'absent' })
    await expect(volume.writer().commit([again], { onConflict: 'refuse' })).rejects.toMatchObject({ code: 'stale' })
    const { conflicts } = await volume.writer().commit([again])
    expect(conflicts).toHaveLength(1)
  })

  test('a version that must still be there', async () => {
    const volume = await newVolume()
    await volume.writer().commit([file('/a', 'base')])
    const { id } = await (await volume.head()).resolve('/a')
    await volume.writer().commit([{ ...write('/a', 'one'), expected: { id } }], { onConflict: 'refuse' })
    const stale: Operation = { ...write('/a', 'two'), expected: { version: hashOf('something else') } }
    await expect(volume.writer().commit([stale], { onConflict: 'refuse' })).rejects.toMatchObject({ code: 'stale' })
  })
})

async function race(base: readonly Operation[], theirs: readonly Operation[], ours: readonly Operation[]): Promise<{ volume: Volume; head: Snapshot; result: Awaited<ReturnType<ReturnType<Volume['writer']>['commit']>> }> {
  const volume = await newVolume({ author: 'them' })
  await volume.writer().commit(base)
  const snapshot = await volume.head()
  await volume.writer().commit(theirs)
  const result = await volume.writer().commit(ours, { base: snapshot, author: 'us' })
  return { volume, head: result.snapshot, result }
}

/** Each id is there as often as its link count says. */
async function expectLinkCounts(snapshot: Snapshot): Promise<void> {
  const seen = new Map<number, number>()
  const linkCounts = new Map<number, number>()
  for await (const { path, entry } of snapshot.walk()) {
    seen.set(entry.id, (seen.get(entry.id) ?? 0) + 1)
    linkCounts.set(entry.id, entry.linkCount)
    if (entry.linkCount === 1) expect(seen.get(entry.id), `the id of ${path}`).toBe(1)
  }
  expect(seen).toEqual(linkCounts)
}

/** The files of the tables, put into an edge's volume. */
import { type EdgeUnderTest, fileOperation } from '../../edge/edge-under-test.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import { files, modifiedSeconds, typedNames } from './files.ts'

const times = { mtime: { seconds: modifiedSeconds, nanoseconds: 123_456_789 }, ctime: { seconds: modifiedSeconds, nanoseconds: 0 } }

/** Commits 2 and 3: the second changes `changing.txt`. */
export async function fillVolume(edge: EdgeUnderTest): Promise<void> {
  const operations: Operation[] = []
  for (const [name, body] of Object.entries(files)) operations.push(await fileOperation(edge.volume, `/${name}`, body, times))
  for (const name of Object.keys(typedNames)) operations.push(await fileOperation(edge.volume, `/types/${name}`, 'data', times))
  operations.push(
    await fileOperation(edge.volume, '/changing.txt', 'old', times),
    { op: 'mkdir', path: '/void' },
    { op: 'symlink', path: '/to-file', target: 'letters.txt' },
    { op: 'symlink', path: '/to-dir', target: '/dir' },
    { op: 'symlink', path: '/dir/up', target: '../../../..' },
    { op: 'symlink', path: '/dangling', target: 'nowhere' },
    { op: 'symlink', path: '/loop', target: 'loop' },
    { op: 'mknod', path: '/fifo', kind: 'fifo' },
  )
  await edge.commit(...operations)
  await edge.commit(await fileOperation(edge.volume, '/changing.txt', 'new', { ...times, replace: true }))
}

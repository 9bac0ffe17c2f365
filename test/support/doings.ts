/** What a mount does, as functions: for tests of two mounts that changed the same snapshot. */
import { expect } from 'vitest'
import type { CommittedChanges } from '../../shared/volume/change-set.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { SimulatedMount, inlineBody } from './simulated-mount.ts'
import { newVolume } from './test-volume.ts'

export type Doing = (mount: SimulatedMount) => void

export function file(path: string, text: string): Doing {
  return (mount) => expect(mount.make(path, 'file', inlineBody(text))).toBe(true)
}

export function directory(path: string): Doing {
  return (mount) => expect(mount.make(path, 'directory')).toBe(true)
}

export function write(path: string, text: string): Doing {
  return (mount) => expect(mount.write(path, inlineBody(text))).toBe(true)
}

export function move(path: string, to: string): Doing {
  return (mount) => expect(mount.rename(path, to)).toBe(true)
}

export function link(path: string, to: string): Doing {
  return (mount) => expect(mount.link(path, to)).toBe(true)
}

export function remove(path: string): Doing {
  return (mount) => expect(mount.removeAll(path)).toBe(true)
}

export function all(...doings: readonly Doing[]): Doing {
  return (mount) => {
    for (const doing of doings) doing(mount)
  }
}

/** A file `/a` that both have written to; theirs is committed. */
export async function contested(made: Doing): Promise<{ readonly base: Snapshot; readonly volume: Volume; readonly ours: SimulatedMount }> {
  const volume = await newVolume()
  const writer = volume.writer()
  const start = await SimulatedMount.of(await volume.head(), writer.newFileId)
  made(start)
  const { snapshot: base } = await writer.commitChanges(start.changeSet(), { base: start.base })
  const [them, ours] = [await SimulatedMount.of(base, writer.newFileId), await SimulatedMount.of(base, writer.newFileId)]
  write('/a', 'theirs')(them)
  write('/a', 'ours')(ours)
  await writer.commitChanges(them.changeSet(), { base })
  return { base, volume, ours }
}

/** Base is commit 2, theirs 3, ours 4; then ours once more. */
export async function bed(
  base: Doing,
  theirs: Doing,
  ours: Doing,
): Promise<{ readonly committed: CommittedChanges; readonly again: CommittedChanges; readonly mount: SimulatedMount }> {
  const volume = await newVolume()
  const writer = volume.writer()
  const publish = async (mount: SimulatedMount, author: string): Promise<CommittedChanges> =>
    volume.writer().commitChanges(mount.changeSet(), { base: mount.base, author })
  const start = await SimulatedMount.of(await volume.head(), writer.newFileId)
  base(start)
  await publish(start, 'base')
  if (start.changeSet().names.length === 0) await writer.commit([{ op: 'setattr', path: '/', mode: 0o700 }])
  const snapshot = await volume.head()
  const [them, us1] = [await SimulatedMount.of(snapshot, writer.newFileId), await SimulatedMount.of(snapshot, writer.newFileId)]
  theirs(them)
  ours(us1)
  await publish(them, 'them')
  const committed = await publish(us1, 'us')
  return { committed, again: await publish(us1, 'us'), mount: us1 }
}

import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import type { Entry, FileId } from '../../../shared/format/entry.ts'
import { silentLogger } from '../../../shared/log.ts'
import { rootFileId } from '../../../shared/volume/file-id.ts'
import type { FileSystemSettings } from '../../../shim/daemon/file-system-settings.ts'
import { type LocalState, closeLocalState, openLocalState } from '../../../shim/daemon/local-state.ts'
import type { Backend } from '../../../shim/fs/backend.ts'
import { readSegment } from '../../../shim/journal/segment.ts'
import { linuxSys } from '../../../shim/sys/linux-sys.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const noBackend: Backend = {
  page: () => 0,
  fetch: () => 0,
  promote: () => undefined,
  cancel: () => undefined,
  // Off the thread, which does not come back to hear of it.
  sync: () => undefined,
  prepare: (chores, done) => done(chores.map(() => false)),
}

const writing = { durability: 'local', coherence: 'close-to-open', dirtyBytesMax: Infinity } as const

function settingsOf(base: string, options: Partial<FileSystemSettings> = {}): FileSystemSettings {
  const cacheDirectories = [1, 2, 3].map((number) => path.join(base, `bodies-${number}`))
  return { seq: 4, root: new Uint8Array(0), volumeId: 'volume', isFixed: false, cacheDirectories, cacheBytesMax: 2 ** 30, freeBytesMin: 0, writing, ...options }
}

/** Opened, and closed at the end of the test. */
function open(settings: FileSystemSettings): { readonly state: LocalState; readonly name: string | undefined; close(discards?: boolean): void } {
  const state = openLocalState(settings, noBackend, silentLogger)
  let isOpen = true
  const close = (discards = false): void => {
    if (isOpen) closeLocalState(state, discards)
    isOpen = false
  }
  onTestFinished(() => close())
  return { state, name: state.directory === undefined ? undefined : path.basename(state.directory), close }
}

/** Makes a directory in the root. */
function change({ state }: { readonly state: LocalState }, seq: number): void {
  const now = { seconds: Math.floor(systemClock.now() / 1000), nanoseconds: 0 }
  const id = 5000 as FileId
  const content = { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } } as const
  const entry: Entry = { kind: 'directory', id, mode: 0o755, uid: 0, gid: 0, mtime: now, ctime: now, size: 0, linkCount: 1, xattrs: new Map(), content }
  const names = [{ directoryId: rootFileId, name: 'd', to: { id, kind: 'directory' }, base: undefined }] as const
  expect(state.writing!.recover(seq).apply({ names, nodes: [{ entry, base: undefined }] })).toBe(0)
}

test('who writes goes on with what another mount has left, wherever that is', async () => {
  const base = await tempDirectory()
  const first = open(settingsOf(base))
  const second = open(settingsOf(base))
  expect([first.name, second.name]).toEqual(['bodies-1', 'bodies-2'])
  first.state.writing!.recover(4)
  change(second, 4)
  first.close()
  second.close()
  const next = open(settingsOf(base, { seq: 9 }))
  expect([next.name, next.state.writing?.baseSeq]).toEqual(['bodies-2', 4])
  const changes = next.state.writing!.recover(4)
  expect(changes.target(rootFileId, 'd')).toEqual({ id: 5000, kind: 'directory' })
  expect(next.state.writing!.recovered).toMatchObject({ nameCount: 1, inodeCount: 1, lost: [] })
})

test('of two mounts that ended side by side the next takes up one, and says where the other is', async () => {
  const base = await tempDirectory()
  const both = [open(settingsOf(base)), open(settingsOf(base))]
  for (const each of both) change(each, 4)
  for (const each of both) each.close()
  const warnings: string[] = []
  const next = openLocalState(settingsOf(base), noBackend, { ...silentLogger, warn: (message) => void warnings.push(message) })
  onTestFinished(() => closeLocalState(next, false))
  expect(next.directory).toBe(path.join(base, 'bodies-1'))
  expect(warnings).toEqual([expect.stringContaining(`waits in "${path.join(base, 'bodies-2')}"`)])
})

test('who only reads leaves it to who writes', async () => {
  const base = await tempDirectory()
  const writer = open(settingsOf(base))
  change(writer, 4)
  writer.close()
  const reader = open(settingsOf(base, { writing: undefined }))
  expect([reader.name, reader.state.writing]).toEqual(['bodies-2', undefined])
  expect(open(settingsOf(base)).name).toBe('bodies-1')
})

test('what is left at the end counts at another start of the machine, with the files that took the place of others', async () => {
  const base = await tempDirectory()
  const mount = open(settingsOf(base))
  const { bodies, journal } = mount.state.writing!
  const changes = mount.state.writing!.recover(4)
  const mtime = { seconds: Math.floor(systemClock.now() / 1000), nanoseconds: 0 }
  for (const id of [5000, 5001] as FileId[]) {
    const body = bodies.create(mtime)
    if (typeof body === 'number') throw new Error(`create: ${body}`)
    const content = { kind: 'inline', bytes: new Uint8Array(0) } as const
    const entry: Entry = { kind: 'file', id, mode: 0o644, uid: 0, gid: 0, mtime, ctime: mtime, size: 0, linkCount: 1, xattrs: new Map(), content }
    // The second takes the place of the first.
    expect(changes.apply({ names: [{ directoryId: rootFileId, name: 'f', to: { id, kind: 'file' }, base: undefined }], nodes: [{ entry, base: undefined, body }] })).toBe(0)
  }
  expect(journal.status.unsyncedCount).toBeGreaterThan(0)
  // As the machine is left when the process dies: a start that comes to nothing makes none of it count.
  const killed = await tempDirectory()
  cpSync(base, killed, { recursive: true })
  expect(recordsIn(killed)).toMatchObject({ count: 3, unconfirmedCount: 1 })
  open(settingsOf(killed)).close()
  expect(recordsIn(killed)).toMatchObject({ count: 3, unconfirmedCount: 1 })
  mount.close()
  expect(recordsIn(base)).toMatchObject({ count: 3, unconfirmedCount: 0 })
})

function recordsIn(base: string): { readonly count: number; readonly unconfirmedCount: number } {
  const file = path.join(base, 'bodies-1', 'journal', '1.log')
  const fd = linuxSys.open(file, 0, 0)
  const { end, unconfirmed } = readSegment(linuxSys, fd, file, 1)
  linuxSys.close(fd)
  return { count: end.recordCount, unconfirmedCount: unconfirmed.length }
}

test('nothing is left of a journal when everything is published, or is to be dropped', async () => {
  const base = await tempDirectory()
  const journal = path.join(base, 'bodies-1', 'journal')
  const clean = open(settingsOf(base))
  clean.state.writing!.recover(4)
  clean.close()
  expect(readdirSync(journal)).toEqual([])
  const dirty = open(settingsOf(base))
  change(dirty, 4)
  dirty.close(true)
  expect(readdirSync(journal)).toEqual([])
  expect(open(settingsOf(base)).state.writing?.baseSeq).toBeUndefined()
})

test('a writable mount without a directory is refused, a read-only one is not', async () => {
  const base = await tempDirectory()
  writeFileSync(path.join(base, 'file'), '')
  const unusable = settingsOf(base, { cacheDirectories: [path.join(base, 'file', 'bodies')] })
  expect(() => open(unusable)).toThrow(/^Cannot keep what is written: Cannot make the cache folder .*\. Mount with --read-only, or choose another --cache$/)
  expect(open({ ...unusable, writing: undefined }).name).toBeUndefined()
  const taken = settingsOf(base, { cacheDirectories: [path.join(base, 'bodies-1')] })
  open(taken)
  expect(() => open(taken)).toThrow(/^Cannot keep what is written: .*another edgemount uses it/)
})

test('a journal that cannot be used gives its directory up', async () => {
  const base = await tempDirectory()
  const [directory] = settingsOf(base).cacheDirectories
  mkdirSync(directory!, { recursive: true })
  writeFileSync(path.join(directory!, 'journal'), 'no directory')
  expect(() => open(settingsOf(base))).toThrow('journal')
  expect(open(settingsOf(base, { writing: undefined })).name).toBe('bodies-1')
})

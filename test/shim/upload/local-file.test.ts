import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { LocalFile, LocalFileError } from '../../../shim/upload/local-file.ts'
import { localPathOf, type LocalPath } from '../../../shim/upload/local-path.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const never = new AbortController().signal

async function someFile(bytes: number): Promise<{ file: string; local: LocalPath }> {
  const file = path.join(await tempDirectory(), 'file')
  writeFileSync(file, Buffer.alloc(bytes, 'x'))
  return { file, local: localPathOf(file) }
}

function thrownBy(work: () => unknown): unknown {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}

/** Reads it all in pieces of 10 bytes; `between` runs after the first piece. */
async function readAll(opened: LocalFile, between: () => void): Promise<number> {
  let bytes = 0
  for await (const piece of opened.read(new Uint8Array(10), never)) {
    if (bytes === 0) between()
    bytes += piece.length
  }
  return bytes
}

test.each([
  ['nothing happens', () => {}, 100, 'steady'],
  ['it grows', (file: string) => appendFileSync(file, 'more'), 100, 'grew'],
  ['it shrinks', (file: string) => truncateSync(file, 50), 50, 'changed'],
  ['it is overwritten in place', (file: string) => writeFileSync(file, Buffer.alloc(100, 'y'), { flag: 'r+' }), 100, 'changed'],
  ['its time is set back after a write', (file: string) => utimesSync(file, 1, 1), 100, 'changed'],
])('while %s', async (_, happen, bytes, steadiness) => {
  const { file, local } = await someFile(100)
  const opened = LocalFile.open(local)
  expect(await readAll(opened, () => happen(file))).toBe(bytes)
  expect(opened.steadiness()).toBe(steadiness)
  opened.close()
})

test('an empty file is steady', async () => {
  const { local } = await someFile(0)
  const opened = LocalFile.open(local)
  expect(await readAll(opened, () => {})).toBe(0)
  expect(opened.steadiness()).toBe('steady')
  opened.close()
})

test('a fifo or link in the place of a file hangs nobody and leads nowhere', async () => {
  const directory = await tempDirectory()
  execFileSync('mkfifo', [path.join(directory, 'fifo')])
  mkdirSync(path.join(directory, 'folder'))
  symlinkSync('/etc/passwd', path.join(directory, 'link'))
  for (const name of ['fifo', 'folder', 'link', 'nothing']) {
    const error = thrownBy(() => LocalFile.open(localPathOf(path.join(directory, name))))
    expect(error, name).toBeInstanceOf(LocalFileError)
    expect(error, name).toMatchObject({ isGone: name !== 'link' })
  }
})

test('an abort ends the reading', async () => {
  const { local } = await someFile(100)
  const opened = LocalFile.open(local)
  const controller = new AbortController()
  const reading = async (): Promise<void> => {
    for await (const piece of opened.read(new Uint8Array(10), controller.signal)) controller.abort(new Error(`after ${piece.length}`))
  }
  await expect(reading()).rejects.toThrow('after 10')
  opened.close()
})

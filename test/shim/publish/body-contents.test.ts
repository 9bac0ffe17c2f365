import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FileId } from '../../../shared/format/entry.ts'
import type { BatchBody } from '../../../shim/changes/publishing.ts'
import { BodyContents } from '../../../shim/publish/body-contents.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'edgemount-contents-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Of one file, each as long and as old as the others. */
function bodyWith(name: string, text: string): BatchBody {
  const file = path.join(directory, name)
  writeFileSync(file, text)
  utimesSync(file, 1, 1)
  const mtime = { seconds: 1, nanoseconds: 0 }
  return { id: 7 as FileId, path: file, label: '/f', size: text.length, generation: 1, mtime, base: undefined, written: undefined, previous: undefined, isOpen: false }
}

test('what is known of a body is not believed of another one that took its place', async () => {
  const unwanted = (): Promise<never> => Promise.reject(new Error('It is small'))
  const contents = new BodyContents({ write: unwanted, rewrite: unwanted }, () => performance.now())
  const { signal } = new AbortController()
  const textOf = async (body: BatchBody): Promise<string> => {
    const { content } = (await contents.read([body], { signal })).read[0]!
    return content.kind === 'inline' ? new TextDecoder().decode(content.bytes) : content.kind
  }
  const first = bodyWith('1', 'version 1')
  expect(await textOf(first)).toBe('version 1')
  expect(await textOf(bodyWith('2', 'version 2'))).toBe('version 2')
})

test('a body that was read is not read again', async () => {
  const unwanted = (): Promise<never> => Promise.reject(new Error('It is small'))
  const contents = new BodyContents({ write: unwanted, rewrite: unwanted }, () => performance.now())
  const { signal } = new AbortController()
  const body = bodyWith('1', 'version 1')
  const { read } = await contents.read([body], { signal })
  rmSync(body.path)
  expect(await contents.read([body], { signal })).toEqual({ read, unread: [] })
})

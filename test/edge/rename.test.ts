/** Another name: what moves, what is refused, and who may. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aroundCalls } from '../../edge/store/around.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { testKeys, tokenFor } from './access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from './edge-under-test.ts'

let edge: EdgeUnderTest
let closed: EdgeUnderTest

beforeAll(async () => {
  edge = await startEdge()
  closed = await startEdge({ access: { keys: testKeys } })
  for (const each of [edge, closed]) {
    await each.commit(
      await fileOperation(each.volume, '/docs/a.txt', 'one'),
      await fileOperation(each.volume, '/docs/b.txt', 'two'),
      await fileOperation(each.volume, '/other/c.txt', 'three'),
      { op: 'symlink', path: '/door', target: 'docs' },
      { op: 'symlink', path: '/docs/out', target: '../other' },
    )
  }
})

afterAll(() => Promise.all([edge.close(), closed.close()]))

const rename = (on: EdgeUnderTest, path: string, to: string, headers: Record<string, string> = {}) => on.raw({ method: 'POST', path: `/v1/${volumeName}/rename${path}?to=${to}`, headers })
/** `before` does something once, just before the next commit. */
async function racingEdge(): Promise<{ readonly own: EdgeUnderTest; readonly before: (others: () => Promise<unknown>) => void }> {
  let beforeCommit = async (): Promise<unknown> => undefined
  const wrap = (store: ObjectStore): ObjectStore => aroundCalls(store, async ({ operation, key, signal }, run) => {
    if (operation === 'create' && key.includes('/log/')) {
      const others = beforeCommit
      beforeCommit = async () => undefined
      await others()
    }
    return await run(signal)
  })
  return { own: await startEdge({ wrap }), before: (others) => (beforeCommit = others) }
}

const has = async (path: string): Promise<number> => (await edge.raw({ path: `/v1/${volumeName}/stat${path}?follow=0` })).status

describe('a name', () => {
  test('moves: a file, a directory with what is in it, a symlink itself; through symlinks on the way', async () => {
    const answer = await rename(edge, '/docs/a.txt', '/docs/new%20name%20%C3%BC.txt')
    expect([answer.status, answer.headers['edgemount-seq']]).toEqual([204, '3'])
    expect([await has('/docs/a.txt'), await has('/docs/new%20name%20%C3%BC.txt')]).toEqual([404, 200])
    expect((await rename(edge, '/door/new%20name%20%C3%BC.txt', '%2Fdoor%2Fa.txt')).status).toBe(204)
    expect(await has('/docs/a.txt')).toBe(200)
    expect((await rename(edge, '/door', '/gate')).status).toBe(204)
    expect([await has('/gate'), await has('/docs')]).toEqual([200, 200])
    expect((await rename(edge, '/other', '/docs/inner')).status).toBe(204)
    expect(await has('/docs/inner/c.txt')).toBe(200)
  })

  test.each([
    ['what is not there', '/none', '/x', 404, 'it does not exist'],
    ['onto another', '/docs/a.txt', '/docs/b.txt', 409, 'something of that name is there; choose another one'],
    ['onto itself', '/docs/a.txt', '/docs/a.txt', 409, 'something of that name is there'],
    ['into a directory that is not there', '/docs/a.txt', '/nowhere/a.txt', 404, 'nowhere'],
    ['below itself', '/docs', '/docs/x', 400, 'that is itself, or within it'],
    ['the root', '/', '/x', 400, 'it is the root'],
    ['to nothing', '/docs/a.txt', '', 400, 'say to what'],
    ['to the root', '/docs/a.txt', '/', 400, 'that is itself, or within it'],
    ['to what is no name', '/docs/a.txt', '/a/../b', 400, 'is not a name'],
  ])('is not moved: %s', async (_, path, to, status, why) => {
    const answer = await rename(edge, path, to)
    expect([answer.status, answer.body.toString()]).toEqual([status, expect.stringContaining(why)])
  })

  test('holds to If-Match', async () => {
    const tag = (await edge.raw({ method: 'HEAD', path: `/v1/${volumeName}/files/docs/b.txt` })).headers['etag']!
    expect((await rename(edge, '/docs/b.txt', '/docs/c.txt', { 'if-match': '"0"' })).status).toBe(412)
    expect((await rename(edge, '/docs/b.txt', '/docs/c.txt', { 'if-match': tag })).status).toBe(204)
  })

  test('is not moved, removed or brought back over in another version than was asked for, a directory neither', async () => {
    const own = await startEdge()
    try {
      const put = (path: string, body: string): Promise<Operation> => fileOperation(own.volume, path, body, { replace: true })
      await own.commit(await put('/d/in/a.txt', 'one'), { op: 'symlink', path: '/link', target: 'd' })
      const versionOf = async (path: string): Promise<string> => {
        const answer: unknown = await (await own.fetch(`/v1/${volumeName}/stat${path}?follow=0`)).json()
        return `"${String(fieldOf(fieldOf(answer, 'entry'), 'version'))}"`
      }
      const statusOf = async (method: string, path: string, tag: string): Promise<number> => (await own.raw({ method, path: `/v1/${volumeName}${path}`, headers: { 'if-match': tag } })).status
      const [old, oldLink] = [await versionOf('/d'), await versionOf('/link')]
      const seq = await own.commit(await put('/d/in/a.txt', 'two'), { op: 'unlink', path: '/link' }, { op: 'symlink', path: '/link', target: 'd/in' })
      for (const [method, path] of [['DELETE', '/files/d?recursive=1'], ['POST', '/rename/d?to=/e'], ['POST', `/restore/d?seq=${seq - 1}`]] as const) expect([path, await statusOf(method, path, old)]).toEqual([path, 412])
      for (const [method, path] of [['DELETE', '/files/link'], ['POST', '/rename/link?to=/e'], ['POST', `/restore/link?seq=${seq - 1}`]] as const) expect([path, await statusOf(method, path, oldLink)]).toEqual([path, 412])
      expect(await statusOf('POST', `/restore/link?seq=${seq - 1}`, await versionOf('/link'))).toBe(200)
      expect(await statusOf('POST', `/restore/d?seq=${seq - 1}`, await versionOf('/d'))).toBe(200)
      expect(await (await own.fetch(`/v1/${volumeName}/files/d/in/a.txt`)).text()).toBe('one')
      expect(await statusOf('POST', '/rename/d?to=/e', await versionOf('/d'))).toBe(204)
      expect(await statusOf('DELETE', '/files/e?recursive=1', await versionOf('/e'))).toBe(204)
    } finally {
      await own.close()
    }
  })

  test.each([
    ['renames', 'POST', '/rename/d/a.txt?to=/d/b.txt', '/d/a.txt'],
    ['renames a directory', 'POST', '/rename/d?to=/e', '/d'],
    ['removes', 'DELETE', '/files/d/a.txt', '/d/a.txt'],
    ['removes a directory', 'DELETE', '/files/d?recursive=1', '/d'],
    ['brings a directory back', 'POST', '/restore/d?seq=2', '/d'],
  ])('changes just before the commit, and who %s only another version does nothing', async (_, method, path, top) => {
    const { own, before } = await racingEdge()
    try {
      await own.commit(await fileOperation(own.volume, '/d/a.txt', 'one'))
      await own.commit(await fileOperation(own.volume, '/d/a.txt', 'two', { replace: true }))
      const theirs = await fileOperation(own.volume, '/d/a.txt', 'theirs', { replace: true })
      const stat: unknown = await (await own.fetch(`/v1/${volumeName}/stat${top}`)).json()
      before(() => own.commit(theirs))
      const answer = await own.raw({ method, path: `/v1/${volumeName}${path}`, headers: { 'if-match': `"${String(fieldOf(fieldOf(stat, 'entry'), 'version'))}"` } })
      expect([answer.status, answer.body.toString()]).toEqual([412, expect.stringContaining('"code":"stale"')])
      expect(await (await own.fetch(`/v1/${volumeName}/files/d/a.txt`)).text()).toBe('theirs')
    } finally {
      await own.close()
    }
  })

  test('is not moved onto a file that comes there just before the commit', async () => {
    const { own, before } = await racingEdge()
    try {
      await own.commit(await fileOperation(own.volume, '/a.txt', 'ours'))
      const theirs = await fileOperation(own.volume, '/taken.txt', 'theirs')
      before(() => own.commit(theirs))
      const answer = await rename(own, '/a.txt', '/taken.txt')
      expect([answer.status, answer.body.toString()]).toEqual([412, expect.stringContaining('another commit changed it meanwhile')])
      const bodies = await Promise.all(['/a.txt', '/taken.txt'].map(async (path) => await (await own.fetch(`/v1/${volumeName}/files${path}`)).text()))
      expect(bodies).toEqual(['ours', 'theirs'])
    } finally {
      await own.close()
    }
  })

  test('of many that want it one gets it', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => rename(edge, '/docs/c.txt', `/docs/race${index}`)))
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1)
    expect(answers.filter(({ status }) => ![204, 404, 409, 412].includes(status))).toEqual([])
  })
})

test('a token moves nothing out of its prefix, nor in from outside', async () => {
  const authorization = `Bearer ${await tokenFor({ volume: volumeName, prefix: '/docs', rights: ['write'] })}`
  expect((await rename(closed, '/docs/a.txt', '/other/a.txt', { authorization })).status).toBe(403)
  expect((await rename(closed, '/docs/a.txt', '/docs/out/a.txt', { authorization })).status).toBe(403)
  expect((await rename(closed, '/other/c.txt', '/docs/c.txt', { authorization })).status).toBe(403)
  expect((await rename(closed, '/docs/out/c.txt', '/docs/c.txt', { authorization })).status).toBe(403)
  expect((await rename(closed, '/docs/a.txt', '/docs/z.txt', { authorization })).status).toBe(204)
  const reader = `Bearer ${await tokenFor({ volume: volumeName, rights: ['read', 'list'] })}`
  expect((await rename(closed, '/docs/z.txt', '/docs/y.txt', { authorization: reader })).status).toBe(403)
})

/** What happened to a path: its commits, what differs between two, and bringing back what was there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../shared/volume/operation.ts'
import { startGuardedEdge } from './access/guarded-edge.ts'
import { notingStore } from '../support/test-volume.ts'
import { tokenFor } from './access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from './edge-under-test.ts'

interface Change {
  readonly seq: number
  readonly change: string
  readonly path: string
  readonly from?: string
  readonly message?: string
  readonly entry?: { readonly size: number }
}
interface History {
  readonly items: readonly Change[]
  readonly next: { readonly before: number; readonly path: string } | null
}
interface Diff {
  readonly from: number
  readonly to: number
  readonly items: readonly { readonly path: string; readonly change: string; readonly before?: { readonly size: number }; readonly after?: { readonly size: number } }[]
  readonly isLast: boolean
  readonly hasLinkedChanges: boolean
}

let edge: EdgeUnderTest
/** By what happened. */
const seqs: Record<string, number> = {}

const put = async (path: string, body: string): Promise<Operation> => await fileOperation(edge.volume, path, body, { replace: true })
const get = async <T>(path: string, status = 200): Promise<T> => {
  const response = await edge.fetch(path)
  expect([path, response.status]).toEqual([path, status])
  return (await response.json()) as T
}
const post = async (path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await edge.fetch(path, { method: 'POST', headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const textOf = async (path: string): Promise<string> => await (await edge.fetch(path)).text()

beforeAll(async () => {
  edge = await startEdge()
  seqs['first'] = await edge.commit(await put('/docs/a.txt', 'one'), await put('/docs/b.txt', 'bee'), { op: 'mkdir', path: '/docs/sub' })
  seqs['other'] = await edge.commit(await put('/other.txt', 'other'))
  seqs['second'] = await edge.commit(await put('/docs/a.txt', 'twotwo'), await put('/docs/sub/deep.txt', 'deep'))
  seqs['renamed'] = await edge.commit({ op: 'rename', path: '/docs', to: '/papers' })
  seqs['mode'] = await edge.commit({ op: 'setattr', path: '/papers/a.txt', mode: 0o600 })
  seqs['removed'] = await edge.commit({ op: 'unlink', path: '/papers/b.txt' })
})

afterAll(() => edge.close())

describe('history', () => {
  it('tells the commits that changed a file, newest first, through the rename of a directory above it', async () => {
    const { items, next } = await get<History>('/v1/demo/history/papers/a.txt')
    expect(items.map(({ seq, change, path, from }) => [seq, change, path, from])).toEqual([
      [seqs['mode'], 'changed', '/papers/a.txt', undefined],
      [seqs['renamed'], 'renamed', '/papers/a.txt', '/docs/a.txt'],
      [seqs['second'], 'changed', '/docs/a.txt', undefined],
      [seqs['first'], 'added', '/docs/a.txt', undefined],
    ])
    expect(items.map(({ entry }) => entry?.size)).toEqual([6, 6, 6, 3])
    expect(next).toBeNull()
  })

  it('goes on from page to page, by the name that was', async () => {
    const seen: number[] = []
    let path: string | undefined = '/v1/demo/history/papers/a.txt?limit=1'
    while (path !== undefined) {
      const { items, next }: History = await get<History>(path)
      seen.push(...items.map(({ seq }) => seq))
      path = next === null ? undefined : `/v1/demo/history${next.path}?limit=1&before=${next.before}`
    }
    expect(seen).toEqual([seqs['mode'], seqs['renamed'], seqs['second'], seqs['first']])
  })

  it('tells of what is gone, and of directories whatever happened in them', async () => {
    const gone = await get<History>('/v1/demo/history/papers/b.txt')
    expect(gone.items.map(({ seq, change }) => [seq, change])).toEqual([[seqs['removed'], 'removed'], [seqs['renamed'], 'renamed'], [seqs['first'], 'added']])
    const folder = await get<History>('/v1/demo/history/papers')
    expect(folder.items.map(({ seq }) => seq)).toEqual([seqs['removed'], seqs['mode'], seqs['renamed'], seqs['second'], seqs['first']])
    expect((await get<History>('/v1/demo/history/never')).items).toEqual([])
    expect((await get<History>('/v1/demo/history/papers/a.txt?before=1')).items).toEqual([])
  })

  it('looks at 200 commits at most, and says where to go on', async () => {
    let calls: string[] = []
    const long = await startEdge({
      wrap: (store) => {
        const noting = notingStore(store)
        calls = noting.calls
        return noting.store
      },
    })
    try {
      await long.commit(await fileOperation(long.volume, '/x', 'x'))
      for (let index = 0; index < 205; index += 1) await long.commit({ op: 'setattr', path: '/', mode: 0o700 + (index % 2) })
      const first = (await (await long.fetch('/v1/demo/history/x')).json()) as History
      expect(first).toEqual({ items: [], next: { before: 8, path: '/x' } })
      // A record for each commit, some to find the newest one, and the page that all of them share.
      expect(calls.length).toBeLessThan(215)
      expect(calls.filter((call) => call.startsWith('get') && call.includes('/meta/')).length).toBe(1)
      const second = (await (await long.fetch(`/v1/demo/history/x?before=${first.next?.before}`)).json()) as History
      expect([second.items.map(({ seq }) => seq), second.next]).toEqual([[2], null])
    } finally {
      await long.close()
    }
  })
})

describe('diff', () => {
  const shown = ({ items }: Diff): readonly unknown[] => items.map(({ path, change, before, after }) => [path, change, before?.size, after?.size])

  it('tells what came, went and changed, in the order of the paths', async () => {
    const diff = await get<Diff>(`/v1/demo/diff/?from=${seqs['first']}&to=${seqs['second']}`)
    expect(shown(diff)).toEqual([['/docs/a.txt', 'changed', 3, 6], ['/docs/sub/deep.txt', 'added', undefined, 4], ['/other.txt', 'added', undefined, 5]])
    expect([diff.isLast, diff.hasLinkedChanges]).toEqual([true, false])
    const back = await get<Diff>(`/v1/demo/diff/docs?from=${seqs['second']}&to=${seqs['first']}`)
    expect(shown(back)).toEqual([['/docs/a.txt', 'changed', 6, 3], ['/docs/sub/deep.txt', 'removed', 4, undefined]])
    const last = await get<Diff>('/v1/demo/diff/papers/')
    expect([last.to, shown(last)]).toEqual([seqs['removed'], [['/papers/b.txt', 'removed', 3, undefined]]])
  })

  it('goes on after every path', async () => {
    const whole = shown(await get<Diff>(`/v1/demo/diff/?from=1&to=${seqs['renamed']}`))
    expect(whole.length).toBe(6)
    const pages: unknown[] = []
    let after = ''
    for (let isLast = false; !isLast; ) {
      const page: Diff = await get<Diff>(`/v1/demo/diff/?from=1&to=${seqs['renamed']}&limit=1${after}`)
      pages.push(...shown(page))
      after = `&after=${page.items.at(-1)?.path}`
      isLast = page.isLast
    }
    expect(pages).toEqual(whole)
  })

  it('says when files with several names changed', async () => {
    const linked = await edge.commit({ op: 'link', path: '/other.txt', to: '/papers/same.txt' })
    const written = await edge.commit(await put('/other.txt', 'longer now'))
    expect((await get<Diff>(`/v1/demo/diff/?from=${linked}&to=${written}`)).hasLinkedChanges).toBe(true)
    await get(`/v1/demo/diff/never?from=1&to=${written}`, 404)
    await get(`/v1/demo/diff/papers?after=/docs/x`, 400)
  })
})

describe('restore', () => {
  it('brings a file, and a folder, back; and does nothing where nothing is different', async () => {
    const one = await post(`/v1/demo/restore/docs/a.txt?seq=${seqs['first']}&to=/papers/a.txt`)
    expect([one.status, one.body['path'], one.body['count'], await textOf('/v1/demo/files/papers/a.txt')]).toEqual([200, '/papers/a.txt', 1, 'one'])
    const folder = await post(`/v1/demo/restore/docs?seq=${seqs['second']}`)
    expect([folder.status, folder.body['count']]).toEqual([200, 5])
    expect([await textOf('/v1/demo/files/docs/b.txt'), await textOf('/v1/demo/files/docs/sub/deep.txt')]).toEqual(['bee', 'deep'])
    const again = await post(`/v1/demo/restore/docs?seq=${seqs['second']}`)
    expect([again.status, again.body['count'], again.body['seq']]).toEqual([200, 0, folder.body['seq']])
    // What came since stays.
    await edge.commit(await put('/docs/new.txt', 'new'), await put('/docs/a.txt', 'three'))
    expect((await post(`/v1/demo/restore/docs?seq=${seqs['second']}`)).body['count']).toBe(1)
    expect([await textOf('/v1/demo/files/docs/a.txt'), await textOf('/v1/demo/files/docs/new.txt')]).toEqual(['twotwo', 'new'])
  })

  it('makes the directories on the way, holds to conditions, and refuses what cannot be', async () => {
    const far = await post(`/v1/demo/restore/other.txt?seq=${seqs['other']}&to=/x/y/other.txt`, { 'if-none-match': '*' })
    expect([far.status, await textOf('/v1/demo/files/x/y/other.txt')]).toEqual([200, 'other'])
    expect((await post(`/v1/demo/restore/other.txt?seq=${seqs['other']}&to=/x/y/other.txt`, { 'if-none-match': '*' })).status).toBe(412)
    expect((await post(`/v1/demo/restore/other.txt?seq=${seqs['other']}&to=/x/y`)).status).toBe(409)
    expect((await post('/v1/demo/restore/other.txt?seq=1')).status).toBe(404)
    expect((await post('/v1/demo/restore/other.txt?seq=99999')).status).toBe(404)
    expect((await post('/v1/demo/restore/other.txt')).status).toBe(400)
  })
})

describe('with a token for a part', () => {
  it('names nothing outside: a rename from there is an addition, a message stays unsaid', async () => {
    const closed = await startGuardedEdge()
    try {
      await closed.commit(await fileOperation(closed.volume, '/secret/plan.txt', 'plan'))
      const writer = closed.volume.writer()
      await writer.commit([{ op: 'mkdir', path: '/open' }, { op: 'rename', path: '/secret/plan.txt', to: '/open/plan.txt' }], { message: 'out of /secret' })
      const token = await tokenFor({ prefix: '/open', rights: ['read', 'write'] })
      const answer = await closed.fetch('/v1/demo/history/open/plan.txt', { headers: { authorization: `Bearer ${token}` } })
      const text = await answer.text()
      expect(text).not.toContain('secret')
      expect((JSON.parse(text) as History).items.map(({ change, path, from }) => [change, path, from])).toEqual([['added', '/open/plan.txt', undefined]])
      const statusOf = async (method: string, path: string): Promise<number> => (await closed.fetch(path, { method, headers: { authorization: `Bearer ${token}` } })).status
      expect(await statusOf('POST', '/v1/demo/restore/open/plan.txt?seq=3&to=/stolen.txt')).toBe(403)
      expect(await statusOf('POST', '/v1/demo/restore/secret/plan.txt?seq=2&to=/open/p.txt')).toBe(403)
      expect(await statusOf('GET', '/v1/demo/diff/open?from=1&to=3')).toBe(403)
      // Also where nothing is left above what the token reaches: a path is outside before it is there.
      const seq = await closed.commit(await fileOperation(closed.volume, '/open/deep/plan.txt', 'deep'))
      await closed.commit({ op: 'rmdir', path: '/open', recursive: true })
      expect(await statusOf('POST', '/v1/demo/restore/open/plan.txt?seq=3&to=/o/plan.txt')).toBe(403)
      expect(await statusOf('POST', '/v1/demo/restore/open/plan.txt?seq=3&to=/')).toBe(403)
      const deep = await tokenFor({ prefix: '/open/deep', rights: ['read', 'write'] })
      const put = async (path: string): Promise<number> => (await closed.fetch(path, { method: 'POST', headers: { authorization: `Bearer ${deep}` } })).status
      expect(await put(`/v1/demo/restore/open/deep/plan.txt?seq=${seq}&to=/open/x/plan.txt`)).toBe(403)
      expect(await put(`/v1/demo/restore/open/deep/plan.txt?seq=${seq}`)).toBe(200)
      const whole = await tokenFor({ rights: ['read'] })
      expect(await (await closed.fetch('/v1/demo/history/open/plan.txt', { headers: { 'x-api-key': whole } })).text()).toContain('out of /secret')
    } finally {
      await closed.close()
    }
  })
})

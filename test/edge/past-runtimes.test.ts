/** History, differences, bringing back, empty directories and shared addresses on each runtime that an edge runs on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenFor } from './access/tokens.ts'
import { type EdgeUnderTest, fileOperation } from './edge-under-test.ts'
import { closedRuntimes } from './runtimes.ts'

describe.each(closedRuntimes)('on %s', (_, start) => {
  let edge: EdgeUnderTest
  let headers: Record<string, string>
  const seqs: number[] = []

  beforeAll(async () => {
    edge = await start()
    headers = { authorization: `Bearer ${await tokenFor()}` }
    seqs.push(await edge.commit(await fileOperation(edge.volume, '/docs/a.txt', 'one'), await fileOperation(edge.volume, '/docs/b.txt', 'bee')))
    seqs.push(await edge.commit(await fileOperation(edge.volume, '/docs/a.txt', 'two!', { replace: true }), { op: 'unlink', path: '/docs/b.txt' }))
  })

  afterAll(() => edge.close())

  const ask = async (method: string, path: string, body?: string): Promise<{ status: number; answer: Record<string, unknown> }> => {
    const response = await edge.fetch(`/v1/demo/${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
    const text = await response.text()
    return { status: response.status, answer: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
  }

  it('the past is told, compared and brought back', async () => {
    const history = await ask('GET', 'history/docs/a.txt')
    expect(history.answer).toMatchObject({ items: [{ seq: seqs[1], change: 'changed', entry: { size: 4 } }, { seq: seqs[0], change: 'added', entry: { size: 3 } }], next: null })
    const diff = await ask('GET', `diff/docs?from=${seqs[0]}&to=${seqs[1]}`)
    expect(diff.answer).toMatchObject({ items: [{ path: '/docs/a.txt', change: 'changed' }, { path: '/docs/b.txt', change: 'removed' }], isLast: true })
    expect((await ask('POST', `restore/docs?seq=${seqs[0]}`)).answer).toMatchObject({ path: '/docs', count: 2 })
    for (const [name, text] of [['a', 'one'], ['b', 'bee']]) expect(await (await edge.fetch(`/v1/demo/files/docs/${name}.txt`, { headers })).text()).toBe(text)
  })

  it('empty directories are made, once, and not over files', async () => {
    expect((await ask('POST', 'mkdir/new/empty')).status).toBe(201)
    expect((await ask('POST', 'mkdir/new/empty')).status).toBe(204)
    expect((await ask('POST', 'mkdir/')).status).toBe(204)
    expect((await ask('GET', 'stat/new/empty')).answer).toMatchObject({ entry: { kind: 'directory' } })
    expect((await ask('POST', 'mkdir/docs/a.txt')).status).toBe(409)
    expect((await ask('POST', 'mkdir/docs/a.txt/below')).status).toBe(400)
  })

  it('an address is shared that opens one file', async () => {
    const { status, answer } = await ask('POST', 'share/docs/a.txt', '{"seconds":600}')
    expect(status).toBe(201)
    expect(await (await edge.fetch(String(answer['url']))).text()).toBe('one')
    expect((await edge.fetch(`/v1/demo/files/docs/b.txt?t=${String(answer['token'])}`)).status).toBe(403)
  })
})

/** What a token with a prefix reaches, whatever the address looks like and wherever symlinks lead; and that it cannot tell what is outside. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeHash } from '../../../edge/node.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { messageOf } from '../../../shared/error.ts'
import { isWithin } from '../../../shared/path.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation } from '../edge-under-test.ts'
import { closedRuntimes } from '../runtimes.ts'
import { tokenFor } from './tokens.ts'

const secretText = 'OUTSIDE'

/** Method, address below /v1/demo, and the statuses that it may have: Deno and workerd resolve dots before anybody sees them. */
const rows: readonly (readonly [method: string, path: string, ...statuses: number[]])[] = [
  ['GET', 'files/a/b/in.txt', 200],
  ['GET', 'files/a/b/rel-in', 200],
  ['GET', 'files/a/b/abs-in', 200],
  ['GET', 'files/a/b/around', 200],
  ['GET', 'files/a/b/up/b/in.txt', 200],
  ['GET', 'files/a/b', 200, 302],
  ['GET', 'files/a/b/', 200],
  ['GET', 'files/a/b/none', 404],
  ['GET', 'files/a/b/out', 403],
  ['HEAD', 'files/a/b/out', 403],
  ['GET', 'files/a/b/abs-out', 403],
  ['GET', 'files/a/b/gone', 403],
  ['GET', 'files/a/b/chain', 403],
  ['GET', 'files/a/b/dir-out/', 403],
  ['GET', 'files/a/b/dir-out/y.txt', 403],
  ['GET', 'files/a/b/dir-out/none', 403],
  ['GET', 'files/a/b/up', 403],
  ['GET', 'files/a/b/up/out.txt', 403],
  ['GET', 'files/a/b/up/none', 403],
  ['GET', 'files/a/out.txt', 403],
  ['GET', 'files/a/none', 403],
  ['GET', 'files/a/bx/y.txt', 403],
  ['GET', 'files/a', 403],
  ['GET', 'files/', 403],
  ['GET', 'files', 403],
  ['GET', 'files/a/B/in.txt', 403],
  ['GET', 'files/link-to-b/in.txt', 403],
  ['GET', 'files/a/b/../out.txt', 400, 403],
  ['GET', 'files/a/b/%2e%2e/out.txt', 400, 403],
  ['GET', 'files/a/b/.%2E/out.txt', 400, 403],
  ['GET', 'files/a/b/%2e%2e%2fout.txt', 400],
  ['GET', 'files/a/b%2f..%2fout.txt', 400],
  ['GET', 'files/a%2Fb/in.txt', 400],
  ['GET', 'files//a/b/in.txt', 200, 400],
  ['GET', 'files/a//b/in.txt', 400],
  ['GET', 'files/a/b/in.txt%00', 400],
  ['GET', 'files/a/b/..%5cout.txt', 404],
  ['GET', '@2/a/b/in.txt', 200],
  ['GET', '@2/a/b/out', 403],
  ['GET', '@2/a/out.txt', 403],
  ['GET', 'stat/a/b/in.txt', 200],
  ['GET', 'stat/a/b/out', 403],
  ['GET', 'stat/a/b/out?follow=0', 200],
  ['GET', 'stat/a/out.txt?follow=0', 403],
  ['GET', 'stat/a/b/up/out.txt?follow=0', 404],
  ['GET', 'stat/a/b/gone', 403],
  ['GET', 'list/a/b', 200],
  ['GET', 'list/a/b?seq=2', 200],
  ['GET', 'list/a', 403],
  ['GET', 'list/a/b/dir-out', 403],
  ['GET', 'list/a/b/up', 403],
  ['GET', 'manifest/a/b/in.txt', 200],
  ['GET', 'manifest/a/b/out', 403],
  ['GET', 'manifest/a/b/gone?seq=2', 403],
  ['PUT', 'files/a/b/new.txt', 201],
  ['PUT', 'files/a/b/deep/er/new.txt', 201],
  ['PUT', 'files/a/b/around', 204],
  ['PUT', 'files/a/b/out', 403],
  ['PUT', 'files/a/b/gone', 403],
  ['PUT', 'files/a/b/dir-out/z', 403],
  ['PUT', 'files/a/b/up/z', 403],
  ['PUT', 'files/a/b/../z', 400, 403],
  ['PUT', 'files/a/out.txt', 403],
  ['PUT', 'files/a/bx', 403],
  ['DELETE', 'files/a/b/dir-out/y.txt', 403],
  ['DELETE', 'files/a/b/up/out.txt', 403],
  ['DELETE', 'files/a/out.txt', 403],
  ['DELETE', 'files/a?recursive=1', 403],
  ['DELETE', 'files/a/b/dir-out', 204],
  ['GET', 'head', 403],
  ['GET', 'log', 403],
  ['GET', 'log/1', 403],
]

describe.each(closedRuntimes)('on %s', (_, start) => {
  let edge: EdgeUnderTest
  let token: string

  beforeAll(async () => {
    edge = await start()
    token = await tokenFor({ prefix: '/a/b', rights: ['read', 'list', 'write'] })
    const file = (path: string, body = secretText): Promise<Operation> => fileOperation(edge.volume, path, body)
    const link = (path: string, target: string): Operation => ({ op: 'symlink', path, target })
    await edge.commit(
      await file('/a/b/in.txt', 'inside'),
      await file('/a/b/sub/x.txt', 'inside'),
      ...(await Promise.all([file('/a/out.txt'), file('/a/bx/y.txt'), file('/top.txt')])),
      link('/a/b/rel-in', 'sub/x.txt'),
      link('/a/b/abs-in', '/a/b/in.txt'),
      link('/a/b/around', '../../../a/./b/in.txt'),
      link('/a/b/out', '../out.txt'),
      link('/a/b/abs-out', '/top.txt'),
      link('/a/b/gone', '/nowhere'),
      link('/a/b/dir-out', '/a/bx'),
      link('/a/b/up', '..'),
      link('/a/b/chain', 'out'),
      link('/link-to-b', '/a/b'),
    )
  })

  afterAll(() => edge.close())

  it.each(rows.map(([method, path, ...statuses]) => [method, path, statuses] as const))('%s %s', async (method, path, statuses) => {
    const response = await edge.raw({ method, path: `/v1/demo/${path}`, headers: { authorization: `Bearer ${token}` }, ...(method === 'PUT' ? { body: 'new' } : {}) })
    expect(statuses).toContain(response.status)
    expect(response.body.toString()).not.toContain(secretText)
  })

  it('what is outside is as it was', async () => {
    const snapshot = await edge.volume.head()
    const paths: string[] = []
    for await (const { path } of snapshot.walk()) if (!isWithin(path, '/a/b')) paths.push(path)
    expect(paths).toEqual(['/', '/a', '/a/bx', '/a/bx/y.txt', '/a/out.txt', '/link-to-b', '/top.txt'])
  })
})

describe('Snapshot.follow within a prefix', () => {
  const prefix = '/a/b'
  const name = fc.constantFrom('a', 'b', 'c')
  const target = fc.tuple(fc.boolean(), fc.array(fc.constantFrom('a', 'b', 'c', '..', '.', ''), { minLength: 1, maxLength: 5 })).map(([isAbsolute, parts]) => `${isAbsolute ? '/' : ''}${parts.join('/')}` || '.')
  const place = fc.oneof(fc.array(name, { minLength: 1, maxLength: 4 }), fc.array(name, { minLength: 1, maxLength: 2 }).map((parts) => ['a', 'b', ...parts]))
  const node = fc.record({ path: place.map((parts) => `/${parts.join('/')}`), target: fc.option(target, { nil: undefined }) })

  it('finds what lies there, and cannot tell what is outside', async () => {
    let seed = 0
    const counts = { found: 0, denied: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 3, maxLength: 14 }), fc.array(fc.array(name, { minLength: 1, maxLength: 3 }), { minLength: 8, maxLength: 8 }), async (nodes, asked) => {
        seed += 1
        const placed = nodes.filter(({ path }) => !isWithin(prefix, path))
        const whole = await snapshotOf(placed, seed)
        const alone = await snapshotOf(placed.filter(({ path }) => isWithin(path, prefix)), seed)
        for (const names of asked) {
          const path = [prefix, ...names].join('/')
          const told = await outcomeOf(whole, path)
          expect(told).toBe(await outcomeOf(alone, path))
          if (told.startsWith('/') && isWithin(told, prefix)) {
            counts.found += 1
            expect((await whole.follow(path)).path).toBe(told)
          } else if (told.includes('leads out')) counts.denied += 1
        }
      }),
      { numRuns: 60 },
    )
    expect(Math.min(counts.found, counts.denied)).toBeGreaterThan(5)
  })

  async function outcomeOf(snapshot: Snapshot, path: string): Promise<string> {
    return await snapshot.follow(path, { within: prefix }).then((found) => found.path, messageOf)
  }

  /** A volume with these names; those that cannot be, below a file or twice, are left out. */
  async function snapshotOf(nodes: readonly { path: string; target: string | undefined }[], seed: number): Promise<Snapshot> {
    const volume = await Volume.create({ store: new MemoryStore(), clock: systemClock, random: new SeededRandom(seed), hash: nodeHash, author: 'test' }, { name: 'demo' })
    const isDirectory = (path: string): boolean => nodes.some((other) => other.path.startsWith(`${path}/`))
    const operations: Operation[] = [{ op: 'mkdir', path: prefix, parents: true }]
    const taken = new Set<string>()
    for (const { path, target: to } of nodes) {
      if (taken.has(path) || isDirectory(path)) continue
      taken.add(path)
      operations.push(to === undefined ? { op: 'mkdir', path, parents: true } : { op: 'symlink', path, target: to, parents: true })
    }
    await volume.writer().commit(operations)
    return await volume.head()
  }
})

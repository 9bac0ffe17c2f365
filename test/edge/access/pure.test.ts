/** The parts of access that only compute: where tokens stand, how often who may ask, what caches may keep, and where an edge may listen. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAddress, shownPath } from '../../../edge/access/address.ts'
import { restrictCaching } from '../../../edge/access/caching.ts'
import { presentedToken } from '../../../edge/access/credentials.ts'
import { type Asked, decide } from '../../../edge/access/decide.ts'
import { accessOfEnvironment } from '../../../edge/access/environment.ts'
import { refuseOpenListening } from '../../../edge/access/listening.ts'
import { RateLimiter, networkOf } from '../../../edge/access/rate-limit.ts'
import { AccessMemory, accessKeptMs } from '../../../edge/access/volume-access.ts'
import { closedAccess } from '../../../shared/format/access.ts'
import { isWithin } from '../../../shared/path.ts'
import { type Claims, everyVolume, rights } from '../../../shared/wire/token.ts'
import { testKeys, testSecrets } from './tokens.ts'

describe('an address', () => {
  it.each([
    ['http://h/t/em1.x/v1/demo/files/a?b=c', { path: '/v1/demo/files/a', query: 'b=c', token: 'em1.x', base: '/t/em1.x' }],
    ['http://h/t/em1.x/', { path: '/', query: '', token: 'em1.x', base: '/t/em1.x' }],
    ['http://h/t/a/t/b/v1', { path: '/t/b/v1', query: '', token: 'a', base: '/t/a' }],
    ['http://h/t/em1.x', { path: '/t/em1.x', query: '', token: undefined, base: '' }],
    ['http://h/t//v1', { path: '/t//v1', query: '', token: undefined, base: '' }],
    ['http://h/v1/t/files/t/x', { path: '/v1/t/files/t/x', query: '', token: undefined, base: '' }],
    ['http://h/T/em1.x/v1', { path: '/T/em1.x/v1', query: '', token: undefined, base: '' }],
  ])('%s', (url, expected) => {
    expect(readAddress(url)).toEqual(expected)
  })

  it('is shown without what may be a token', () => {
    expect(['/t/x', '/t/x/', '/t/x/y', '/t/x/t/y/z', '/v1/t/x'].map(shownPath)).toEqual(['/t/…', '/t/…/', '/t/…/y', '/t/…/z', '/v1/t/x'])
  })
})

describe('the token of a request', () => {
  const none = { token: undefined, query: '' }

  it.each([
    [{}, none, undefined],
    [{ authorization: 'Bearer a' }, none, { text: 'a', isInAddress: false }],
    [{ authorization: 'bearer   a' }, none, { text: 'a', isInAddress: false }],
    [{ authorization: 'Bearer' }, none, { text: '', isInAddress: false }],
    [{ authorization: 'Bearers a' }, none, undefined],
    [{ authorization: 'Basic a' }, none, undefined],
    [{ 'x-api-key': '' }, none, { text: '', isInAddress: false }],
    [{ authorization: 'Bearer a', 'x-api-key': 'a' }, { token: 'a', query: 't=a&t=a' }, { text: 'a', isInAddress: false }],
    [{}, { token: 'a', query: '' }, { text: 'a', isInAddress: true }],
    [{}, { token: undefined, query: 'x=1&t=a&tt=b' }, { text: 'a', isInAddress: true }],
    [{}, { token: undefined, query: 't' }, { text: '', isInAddress: true }],
    [{}, { token: undefined, query: 'T=a&xt=b' }, undefined],
  ])('%j %j', (headers, address, expected) => {
    expect(presentedToken(new Headers(Object.entries(headers)), address)).toEqual(expected)
  })

  it.each([
    [{ authorization: 'Bearer a', 'x-api-key': 'b' }, none],
    [{ authorization: 'Bearer a' }, { token: 'b', query: '' }],
    [{}, { token: undefined, query: 't=a&t=b' }],
    [{}, { token: 'a', query: 't' }],
  ])('%j %j is two', (headers, address) => {
    expect(() => presentedToken(new Headers(Object.entries(headers)), address)).toThrow('there are several that differ; send one')
  })
})

describe('a decision', () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 }).map((names) => `/${names.join('/')}`)
  const volume = fc.constantFrom('demo', 'other')
  const right = fc.constantFrom(...rights)
  const seq = fc.constantFrom(undefined, 1, 2)
  const asked: fc.Arbitrary<Asked> = fc.record({
    needs: right,
    volume: fc.option(volume, { nil: undefined }),
    path: fc.option(path, { nil: undefined }),
    isFiltered: fc.boolean(),
    isContent: fc.boolean(),
    isForEveryToken: fc.constant(false),
    file: fc.option(fc.record({ seq }), { nil: undefined }),
  })
  const reach: fc.Arbitrary<Claims['reach']> = fc.oneof(fc.constant({ kind: 'tree' as const }), fc.record({ kind: fc.constant('file' as const), seq }))
  const claims: fc.Arbitrary<Claims> = fc.record({ keyId: fc.constant('k'), id: fc.constant('i'), volume: fc.oneof(volume, fc.constant(everyVolume)), prefix: path, reach, rights: fc.subarray([...rights], { minLength: 1 }), expiry: fc.constant(9) })

  it('lets every token of a tree have what tells nothing of anybody, and no signed address', () => {
    fc.assert(
      fc.property(claims, fc.boolean(), (token, isInAddress) => {
        const about: Asked = { needs: 'read', volume: undefined, path: undefined, isFiltered: false, isContent: true, isForEveryToken: true, file: undefined }
        expect(decide(about, token, false, isInAddress).kind).toBe(token.reach.kind === 'tree' ? 'granted' : 'refused')
        expect(decide(about, undefined, false, isInAddress).kind).toBe('refused')
      }),
    )
  })

  it('grants by a token only what that says, and to everybody only the content of what is public', () => {
    const counts = { granted: 0, refused: 0, open: 0 }
    fc.assert(
      fc.property(asked, fc.option(claims, { nil: undefined }), fc.boolean(), fc.boolean(), (what, token, isPublic, isInAddress) => {
        const decision = decide(what, token, isPublic, isInAddress)
        if (decision.kind === 'refused') {
          counts.refused += 1
          expect(isPublic && what.isContent).toBe(false)
          return
        }
        const { grant } = decision
        if (!grant.isByToken) {
          counts.open += 1
          expect([isPublic, what.isContent, grant.rights]).toEqual([true, true, ['read', 'list']])
          return
        }
        counts.granted += 1
        expect(token?.rights).toContain(what.needs)
        expect([everyVolume, what.volume]).toContain(token?.volume)
        expect(grant.prefix).toBe(token?.prefix)
        if (!what.isFiltered && what.path === undefined) expect([token?.prefix, token?.reach.kind]).toEqual(['/', 'tree'])
        if (!what.isFiltered && what.path !== undefined) expect(isWithin(what.path, grant.prefix)).toBe(true)
        if (token?.reach.kind === 'file') expect([what.path, what.file]).toEqual([token.prefix, { seq: token.reach.seq }])
        expect(grant.caches).toBe(token?.reach.kind === 'file' && isInAddress ? 'shared' : 'private')
      }),
      { numRuns: 3000 },
    )
    expect(Math.min(counts.granted, counts.refused, counts.open)).toBeGreaterThan(20)
  })
})

describe('RateLimiter', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['unknown', 'unknown'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
  ])('takes %s for %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })

  it('never lets through more than a second of its rate at once, and then its rate', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.nat({ max: 3000 }), { maxLength: 300 }), (perSecond, waits) => {
        const limiter = new RateLimiter()
        let nowMs = 1_000_000
        let allowed = 0
        for (const waitMs of waits) {
          nowMs += waitMs
          const askedAgainMs = limiter.take('who', perSecond, nowMs)
          if (askedAgainMs > 0) {
            nowMs += askedAgainMs
            expect(limiter.take('who', perSecond, nowMs)).toBe(0)
          }
          allowed += 1
        }
        expect(allowed).toBeLessThanOrEqual(perSecond + ((nowMs - 1_000_000) / 1000) * perSecond)
        expect(limiter.take('who', perSecond, nowMs + 1000)).toBe(0)
      }),
    )
  })

  it('says how long to wait, holds apart who asks, and remembers no more than 10,000', () => {
    const limiter = new RateLimiter()
    expect([limiter.take('a', 2, 0), limiter.take('a', 2, 0), limiter.take('a', 2, 0), limiter.take('b', 2, 0)]).toEqual([0, 0, 500, 0])
    expect([limiter.take('a', 2, 499), limiter.take('a', 2, 500)]).toEqual([1, 0])
    // A clock that goes back gives nothing.
    expect(limiter.take('a', 2, 0)).toBeGreaterThan(0)
    for (let index = 0; index < 20_000; index += 1) limiter.take(`x${index}`, 2, 600)
    expect(limiter.size).toBe(10_000)
  })
})

describe('caches', () => {
  const token = { caches: 'private', expiry: 1100 } as const

  it.each([
    ['public, max-age=31536000, immutable, no-transform', token, 'private, max-age=100, immutable, no-transform'],
    ['public, max-age=50, no-transform', token, 'private, max-age=50, no-transform'],
    ['no-cache, no-transform', token, 'private, no-cache, no-transform'],
    ['no-store, no-transform', token, 'no-store, no-transform'],
    ['public, max-age=31536000, immutable', { caches: 'shared', expiry: 1100 }, 'public, max-age=100, immutable'],
    ['public, max-age=31536000, immutable', { caches: 'shared', expiry: undefined }, 'public, max-age=31536000, immutable'],
    ['public, max-age=60', { caches: 'shared', expiry: 900 }, 'public, max-age=0'],
    ['public, max-age=60', undefined, 'private, max-age=60'],
  ] as const)('%s for %j', (before, grant, after) => {
    const headers = new Headers({ 'cache-control': before, vary: 'Accept' })
    restrictCaching(headers, grant, 1000)
    expect([headers.get('cache-control'), headers.get('vary')]).toEqual([after, 'Accept, Authorization, X-API-Key'])
  })

  it('get nothing of an answer that does not say', () => {
    const headers = new Headers()
    restrictCaching(headers, token, 1000)
    expect([...headers]).toEqual([['vary', 'Authorization, X-API-Key']])
  })
})

describe('AccessMemory', () => {
  it('forgets after five seconds, when the clock goes back, and beyond a thousand volumes', () => {
    const memory = new AccessMemory()
    memory.set('a', closedAccess, 10_000)
    expect([10_000, 10_000 + accessKeptMs - 1, 10_000 + accessKeptMs, 9999].map((nowMs) => memory.get('a', nowMs) !== undefined)).toEqual([true, true, false, false])
    for (let index = 0; index < 1000; index += 1) memory.set(`v${index}`, closedAccess, 10_000)
    expect(memory.get('a', 10_000)).toBeUndefined()
    expect(memory.get('v999', 10_000)).toBeDefined()
  })
})

describe('an edge', () => {
  it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]'])('listens on %s without a secret', (host) => {
    expect(() => refuseOpenListening(host, undefined, false)).not.toThrow()
  })

  it.each(['0.0.0.0', '::', '192.168.1.2', 'edge.example', '', '127.0.0.1.evil.example', '2001:db8::1'])('does not listen on %j without one, unless told', (host) => {
    expect(() => refuseOpenListening(host, undefined, false)).toThrow(/without a secret: .*EDGEMOUNT_SECRETS.*--open/)
    expect(() => refuseOpenListening(host, testKeys, false)).not.toThrow()
    expect(() => refuseOpenListening(host, undefined, true)).not.toThrow()
  })

  it('reads secrets and rates from its environment', () => {
    expect(accessOfEnvironment({ EDGEMOUNT_TOKEN_RATE: '5' })).toBeUndefined()
    expect(accessOfEnvironment({ EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: '5', EDGEMOUNT_ANONYMOUS_RATE: '' })).toMatchObject({ tokenRate: 5, anonymousRate: undefined })
    for (const rate of ['-1', '1.5', 'x', ' ']) expect(() => accessOfEnvironment({ EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: rate })).toThrow('Cannot use EDGEMOUNT_TOKEN_RATE')
  })
})

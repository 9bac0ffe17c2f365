/**
 * What caches may do with an answer that not everybody may have: a pure function over its headers, applied by `app.ts` to all answers of an edge with secrets.
 */
import type { Grant } from './grant.ts'

const varyOn = 'Authorization, X-API-Key'

/**
 * INVARIANT: a shared cache may keep an answer only if everybody may have it, or if its address is a signed one, and then no longer than that is worth something.
 * Errors are `no-store` already.
 */
export function restrictCaching(headers: Headers, grant: Pick<Grant, 'caches' | 'expiry'> | undefined, nowSeconds: number): void {
  const vary = headers.get('vary')
  headers.set('vary', vary === null ? varyOn : `${vary}, ${varyOn}`)
  const before = headers.get('cache-control') ?? 'no-store'
  if (before.includes('no-store')) return
  const { caches, expiry } = grant ?? { caches: 'private', expiry: undefined }
  const capped = expiry === undefined ? before : before.replace(/max-age=(\d+)/, (_, seconds: string) => `max-age=${Math.max(0, Math.min(Number(seconds), expiry - nowSeconds))}`)
  if (caches === 'shared') headers.set('cache-control', capped)
  else headers.set('cache-control', `private, ${capped.replace(/^public, /, '')}`)
}

/**
 * Tells which uploads in parts are over and still there. Open ones are in order: their packs are in use, though no snapshot leads to them.
 */
import { codeOf } from '../error.ts'
import type { ObjectSummary } from '../store.ts'
import type { CheckRun, Finding } from './finding.ts'
import { expiryOfUpload, finishedUploadPrefix, openUploadPrefix } from './keys.ts'

const listLimit = 1000

export async function* checkUploads({ parts, options }: CheckRun): AsyncGenerator<Finding> {
  for (const prefix of [openUploadPrefix, finishedUploadPrefix]) {
    let page: readonly ObjectSummary[] | undefined
    do {
      page = await list(prefix, page?.at(-1)?.key)
      for (const { key } of page) {
        const expiry = expiryOfUpload(key.slice(prefix.length))
        const finding = { severity: 'warning', path: key, what: 'upload' } as const
        if (expiry === undefined) yield { ...finding, why: 'its name is none that an upload has' }
        else if (expiry <= parts.clock.now()) yield { ...finding, why: `it expired at ${new Date(expiry).toISOString()}; uploads that begin later remove it` }
      }
    } while (page.length === listLimit)
  }

  /** Through an edge nobody sees them: they are its own. */
  async function list(prefix: string, after: string | undefined): Promise<readonly ObjectSummary[]> {
    try {
      return await parts.store.list(prefix, { limit: listLimit, after, signal: options.signal })
    } catch (error) {
      if (codeOf(error) === 'unsupported') return []
      throw error
    }
  }
}

/** Holds what another server answers against what a row demands of an edge: status, ranges, lengths, bodies and parts; not what an error says. */
import type { HttpAnswer } from '../../support/http-connection.ts'
import { parseMultipart } from '../../support/multipart-parser.ts'
import { files } from './files.ts'
import type { Answer } from './row.ts'

/** What differs, in words. */
export function differences(answer: HttpAnswer | undefined, wanted: Answer): string[] {
  if (answer === undefined || wanted.status === 0) return answer?.status === wanted.status ? [] : [`${answer?.status ?? 'no answer'} for ${wanted.status}`]
  if (answer.status !== wanted.status) return [`${answer.status} for ${wanted.status}`]
  const found: string[] = []
  for (const name of ['content-range', 'content-length', 'content-encoding']) {
    if (!(name in (wanted.has ?? {})) || (name === 'content-length' && wanted.error !== undefined)) continue
    const value = answer.headers.get(name)?.join()
    if (value !== wanted.has?.[name]) found.push(`${name} ${value} for ${String(wanted.has?.[name])}`)
  }
  const body = answer.body.toString()
  if (typeof wanted.body === 'string' && body !== wanted.body) found.push(`the body ${body.slice(0, 100)}`)
  if (wanted.parts !== undefined) found.push(...partDifferences(answer, wanted.parts))
  return found
}

function partDifferences(answer: HttpAnswer, { file, ranges }: NonNullable<Answer['parts']>): string[] {
  const contentType = answer.headers.get('content-type')?.join() ?? ''
  if (!contentType.startsWith('multipart/byteranges')) return [`the type ${contentType}`]
  const found = parseMultipart(contentType, answer.body).map(({ contentRange, body }) => `${contentRange}: ${body.toString()}`)
  const text = files[file]!
  const wanted = ranges.map(([first, last]) => `bytes ${first}-${last}/${text.length}: ${text.slice(first, last + 1)}`)
  return found.join('\n') === wanted.join('\n') ? [] : [`the parts ${found.join(', ').slice(0, 200)}`]
}

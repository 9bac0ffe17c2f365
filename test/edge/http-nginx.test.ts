/**
 * The rows of test/suites/http that a server of static files defines, too, sent to Debian's nginx over the same files: where both are bound, both answer the
 * same; where an edge differs on purpose, the row says why, and it is held to that.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answersOf, learnTags, type Server } from '../suites/http/check.ts'
import { differences } from '../suites/http/compare.ts'
import { files, modifiedSeconds } from '../suites/http/files.ts'
import type { HttpRow } from '../suites/http/row.ts'
import { httpTables } from '../suites/http/tables.ts'
import { type Nginx, startNginx } from '../support/nginx.ts'

let nginx: Nginx | undefined
let server: Server

beforeAll(async () => {
  nginx = await startNginx(files, 'v1/demo/files', modifiedSeconds)
  server = { port: nginx.port, tags: await learnTags(nginx.port) }
})

afterAll(() => nginx?.stop())

async function differencesOf(row: HttpRow): Promise<string[]> {
  const wanted = row.steps.filter((step) => typeof step !== 'string')
  const { answers } = await answersOf(row, server)
  return wanted.flatMap((each, index) => differences(answers[index], each))
}

const comparable = httpTables.map(([topic, rows]) => [topic, rows.filter((row) => row.nginx !== undefined)] as const).filter(([, rows]) => rows.length > 0)

it('is defined by nginx, too, for half of the rows', () => {
  expect(comparable.flatMap(([, rows]) => rows).length).toBeGreaterThanOrEqual(300)
})

describe.each(comparable)('%s', (_, rows) => {
  it.each(rows)('$title', async (row) => {
    const found = await differencesOf(row)
    if (row.nginx === 'same') expect(found).toEqual([])
    else expect(found, 'nginx answers the same now: the row need not say why it differs').not.toEqual([])
  })
})

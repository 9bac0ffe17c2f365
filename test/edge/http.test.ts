/** The tables of test/suites/http, row by row, over a socket, on every runtime. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkRow, learnTags, type Server } from '../suites/http/check.ts'
import { fillVolume } from '../suites/http/serve-files.ts'
import { httpTables } from '../suites/http/tables.ts'
import type { EdgeUnderTest } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

it('has at least 300 rows', () => {
  expect(httpTables.flatMap(([, rows]) => rows).length).toBeGreaterThanOrEqual(300)
})

describe.each(runtimes)('on %s', (runtime, start) => {
  let edge: EdgeUnderTest
  let server: Server

  beforeAll(async () => {
    edge = await start()
    await fillVolume(edge)
    server = { port: edge.port, tags: await learnTags(edge.port) }
  })

  afterAll(() => edge.close())

  describe.each(httpTables)('%s', (_, rows) => {
    it.each(rows)('$title', async (row) => {
      await checkRow(row, server, runtime)
    })
  })
})

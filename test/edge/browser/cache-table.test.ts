import { describe, test } from 'vitest'
import { cacheTableChecks } from '../../suites/cache-table.ts'
import { MemoryTable } from '../../support/memory-table.ts'

describe('the table in memory', () => {
  test.each(Object.entries(cacheTableChecks))('%s', async (_, check) => {
    const table = new MemoryTable()
    await check(table, table)
  })
})

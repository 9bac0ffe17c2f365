import { expect, test } from 'vitest'
import { errno, errnoOfCode } from '../../shared/errno.ts'
import { errorCodes } from '../../shared/error.ts'

test.each(errorCodes)('%s has an errno', (code) => {
  expect(Object.values(errno)).toContain(errnoOfCode[code])
})

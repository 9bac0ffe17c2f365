import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkKey } from '../../../../edge/store/key.ts'
import { fileNamesOf, isSliceName, partOf } from '../../../../edge/store/directory/key-file.ts'

test.each([
  ['volume.json', ['volume.json']],
  ['data/d01JABC', ['data', 'd01JABC']],
  ['.tmp/x', ['%2Etmp', 'x']],
  ['a/..b', ['a', '%2E.b']],
  ['a b/c%d', ['a%20b', 'c%25d']],
  ['back\\slash', ['back%5Cslash']],
  [`${'a'.repeat(60)}${'.'.repeat(191)}`, [`${'a'.repeat(60)}%`, `%2E${'.'.repeat(59)}%`, `%2E${'.'.repeat(59)}%`, `%2E${'.'.repeat(59)}%`, `%2E${'.'.repeat(10)}`]],
])('%s is %j', (key, names) => {
  expect(fileNamesOf(key)).toEqual(names)
})

test('no key leaves the root or takes a name that is too long, and each comes back', () => {
  const part = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 340 })
  const keyArbitrary = fc
    .array(part.map((text) => text.replaceAll('/', '.')).filter((text) => text !== '.' && text !== '..'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'))
  fc.assert(
    fc.property(keyArbitrary, (key) => {
      checkKey(key)
      const names = fileNamesOf(key)
      for (const name of names) {
        expect(name).not.toMatch(/^\.|\/|\0/)
        expect(name.length).toBeLessThanOrEqual(255)
      }
      const joined = names.map((name) => partOf(name)! + (isSliceName(name) ? '' : '/')).join('')
      expect(joined).toBe(`${key}/`)
    }),
  )
})

test.each(['bad name', 'ü', '%zz', '%2', '%41', '%2e', 'a%2Eb', 'x%%'])('%s is nobody’s file name', (name) => {
  expect(partOf(name)).toBeUndefined()
})

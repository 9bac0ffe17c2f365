import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EdgemountError } from '../../shared/error.ts'
import { decodeName, encodeName } from '../../shared/name.ts'
import {
  baseName,
  checkName,
  childPath,
  isWithin,
  joinPath,
  parentPath,
  parsePath,
  percentDecodeName,
  percentDecodePath,
  percentEncodeName,
  percentEncodePath,
  splitPath,
} from '../../shared/path.ts'

/** Any name a Linux file system takes: bytes, in the form the program keeps them. */
const nameArbitrary = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f))
  .map(decodeName)
  .filter((name) => name !== '.' && name !== '..')

describe('canonical paths', () => {
  test.each([
    ['/', []],
    ['/a', ['a']],
    ['/a/b c/ü', ['a', 'b c', 'ü']],
    ['/...', ['...']],
    ['/ ', [' ']],
    [`/${'x'.repeat(255)}`, ['x'.repeat(255)]],
    [`/${'ü'.repeat(127)}x`, [`${'ü'.repeat(127)}x`]],
  ])('%j', (path, names) => {
    expect(splitPath(path)).toEqual(names)
    expect(joinPath(names)).toBe(path)
  })

  test.each([
    ['', 'a path begins with "/"'],
    ['a', 'a path begins with "/"'],
    ['//', 'a name is empty'],
    ['/a/', 'a name is empty'],
    ['/a//b', 'a name is empty'],
    ['/.', '"." is not a name'],
    ['/a/..', '".." is not a name'],
    ['/a\0b', 'a name contains a NUL'],
    [`/${'x'.repeat(256)}`, 'a name is longer than 255 bytes'],
    [`/${'ü'.repeat(128)}`, 'a name is longer than 255 bytes'],
    [`/${'\u{1f600}'.repeat(64)}`, 'a name is longer than 255 bytes'],
  ])('%j is refused: %s', (path, why) => {
    expect(() => splitPath(path)).toThrow(new EdgemountError('invalid', `Cannot use the path ${JSON.stringify(path)}: ${why}`))
  })

  test('names that would change the path are refused when they are joined', () => {
    expect(() => joinPath(['a/b'])).toThrow(/a name contains a slash/)
    expect(() => childPath('/a', '..')).toThrow(/is not a name/)
    expect(() => checkName('')).toThrow('Cannot use the name "": a name is empty')
    expect(() => checkName('x'.repeat(20_000))).toThrow(`Cannot use the name "${'x'.repeat(60)}…": a name is longer than 255 bytes`)
  })

  test('parts of a path', () => {
    expect(childPath('/', 'a')).toBe('/a')
    expect(childPath('/a', 'b')).toBe('/a/b')
    expect(parentPath('/a/b')).toBe('/a')
    expect(parentPath('/a')).toBe('/')
    expect(parentPath('/')).toBeUndefined()
    expect(baseName('/a/b')).toBe('b')
    expect(baseName('/')).toBe('')
  })

  test.each([
    ['/a/b', '/a', true],
    ['/a', '/a', true],
    ['/ab', '/a', false],
    ['/a', '/a/b', false],
    ['/a', '/', true],
    ['/', '/', true],
  ])('%s within %s: %s', (path, ancestor, isInside) => {
    expect(isWithin(path, ancestor)).toBe(isInside)
  })

  test.each([
    ['', '/'],
    ['/', '/'],
    ['a/b', '/a/b'],
    ['/a/b/', '/a/b'],
  ])('people may type %j for %s', (typed, path) => {
    expect(parsePath(typed)).toBe(path)
  })

  test.each(['//', 'a//', './a', '../a', 'a/../b'])('%j stays refused', (typed) => {
    expect(() => parsePath(typed)).toThrow(/Cannot use the path/)
  })
})

describe('names in URLs', () => {
  test.each([
    ['plain-name_1.txt~', 'plain-name_1.txt~'],
    ['a b', 'a%20b'],
    ['ü', '%C3%BC'],
    ['100%', '100%25'],
    ['@5', '%405'],
    ['a\n', 'a%0A'],
    [decodeName(Uint8Array.of(0xff, 0x61)), '%FFa'],
  ])('%j is %s', (name, encoded) => {
    expect(percentEncodeName(name)).toBe(encoded)
    expect(percentDecodeName(encoded)).toBe(name)
  })

  test('every name comes back from its URL, byte for byte', () => {
    fc.assert(
      fc.property(nameArbitrary, (name) => {
        const decoded = percentDecodeName(percentEncodeName(name))
        expect(encodeName(decoded)).toEqual(encodeName(name))
      }),
    )
  })

  test('ordinary URL forms are taken too', () => {
    expect(percentDecodeName('%c3%bc+(1)@')).toBe('ü+(1)@')
    expect(percentDecodeName('ü')).toBe('ü')
    expect(percentDecodePath('a%20b/c/')).toBe('/a b/c')
    expect(percentDecodePath('')).toBe('/')
    expect(percentDecodePath('/')).toBe('/')
    expect(percentEncodePath('/a b/ü')).toBe('/a%20b/%C3%BC')
    expect(percentEncodePath('/')).toBe('/')
  })

  test.each(['%', '%2', '%zz', 'a%2Fb', '%2e%2e', '.', '..', '', '%00', 'x'.repeat(256)])('%j is refused', (encoded) => {
    expect(() => percentDecodeName(encoded)).toThrow(expect.objectContaining({ code: 'invalid' }))
  })

  test.each(['a//b', '//', '../a', 'a/%2E/b'])('the path %j is refused', (encoded) => {
    expect(() => percentDecodePath(encoded)).toThrow(expect.objectContaining({ code: 'invalid' }))
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes, decodeName, encodeName } from '../../../shared/name.ts'
import { diskPath, joinLocal, localPathOf, nameOf, pathBytes } from '../../../shim/upload/local-path.ts'

const names = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte)))

test('names of any bytes go to the disk and to the volume as they are', () => {
  fc.assert(
    fc.property(names, (bytes) => {
      const raw = Buffer.from(bytes).toString('latin1')
      const local = joinLocal(localPathOf('/folder'), raw)
      expect(Buffer.from(diskPath(local))).toEqual(Buffer.concat([Buffer.from('/folder/'), bytes]))
      expect(pathBytes(local).at(-1)).toBe(0)
      expect(encodeName(nameOf(raw))).toEqual(bytes)
      expect(localPathOf(decodeName(bytes))).toBe(raw)
    }),
  )
})

test('the order of raw names is the order of their bytes', () => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      const [x, y] = [Buffer.from(a).toString('latin1'), Buffer.from(b).toString('latin1')]
      expect(x < y ? -1 : x > y ? 1 : 0).toBe(Math.sign(compareBytes(a, b)))
    }),
  )
})

test('what is not bytes is refused', () => {
  expect(() => joinLocal(localPathOf('/'), 'ā')).toThrow('characters that are no bytes')
})

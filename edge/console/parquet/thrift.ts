/**
 * The numbers in a structure of Thrift's compact protocol, and where it ends: enough of it to know what a Parquet page says of itself. Whatever the bytes are, it takes no
 * more time than they are many. Used by `pages.ts`.
 */

/** By the path of field numbers: `5.1` is the first field of the structure in the fifth. */
export type HeaderNumbers = Readonly<Partial<Record<string, number>>> & { readonly end: number }

const depthMax = 8
/** 64 bits, seven in each byte. */
const variableBytesMax = 10

const kinds = { stop: 0, true: 1, false: 2, byte: 3, short: 4, int: 5, long: 6, double: 7, binary: 8, list: 9, set: 10, struct: 12 } as const

export function readHeader(view: DataView, start: number, end: number): HeaderNumbers {
  const reader = new HeaderReader(view, start, end)
  reader.struct('', 0)
  return Object.assign(reader.numbers, { end: reader.at })
}

class HeaderReader {
  readonly numbers: Partial<Record<string, number>> = {}
  at: number
  readonly #view: DataView
  readonly #end: number

  constructor(view: DataView, start: number, end: number) {
    this.#view = view
    this.at = start
    this.#end = end
  }

  struct(path: string, depth: number): void {
    if (depth > depthMax) throw new RangeError('nested too deep')
    let field = 0
    for (;;) {
      const head = this.#byte()
      const kind = head & 0x0f
      if (kind === kinds.stop) return
      field = head >> 4 === 0 ? this.#signed() : field + (head >> 4)
      this.#value(kind, path === '' ? String(field) : `${path}.${field}`, depth, false)
    }
  }

  #value(kind: number, path: string, depth: number, isInList: boolean): void {
    if (kind === kinds.true || kind === kinds.false) return isInList ? this.#skip(1) : undefined
    if (kind === kinds.byte) return this.#skip(1)
    if (kind === kinds.short || kind === kinds.int || kind === kinds.long) {
      this.numbers[path] = this.#signed()
      return
    }
    if (kind === kinds.double) return this.#skip(8)
    if (kind === kinds.binary) return this.#skip(this.#unsigned())
    if (kind === kinds.struct) return this.struct(path, depth + 1)
    if (kind !== kinds.list && kind !== kinds.set) throw new RangeError('an unknown kind of field')
    const head = this.#byte()
    const count = head >> 4 === 15 ? this.#unsigned() : head >> 4
    if (count > this.#end - this.at || depth > depthMax) throw new RangeError('a list beyond the end')
    for (let index = 0; index < count; index += 1) this.#value(head & 0x0f, `${path}[]`, depth + 1, true)
  }

  #byte(): number {
    if (this.at >= this.#end) throw new RangeError('it ends within a field')
    return this.#view.getUint8(this.at++)
  }

  #skip(bytes: number): void {
    if (bytes > this.#end - this.at) throw new RangeError('it ends within a field')
    this.at += bytes
  }

  /** Exact up to 2⁵³; beyond, it is only known to be large. */
  #unsigned(): number {
    let value = 0
    for (let index = 0; index < variableBytesMax; index += 1) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw new RangeError('a number without an end')
  }

  #signed(): number {
    const value = this.#unsigned()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

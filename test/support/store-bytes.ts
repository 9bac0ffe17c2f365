/** Bodies for tests of stores, and what comes back from them. */
import { expect } from 'vitest'
import { type ErrorCode, EdgemountError } from '../../shared/error.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { ObjectStore } from '../../shared/store.ts'

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

/** Bytes that differ at every offset, so that a shifted range shows. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >>> 8) * 17 + (index >>> 16)) & 0xff
  return bytes
}

export async function bytesAt(store: ObjectStore, key: string, range?: ByteRange): Promise<Uint8Array | undefined> {
  const found = await store.get(key, { range })
  return found?.bytes()
}

export async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

/** Like `toEqual`, but megabytes take no time. */
export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array, hint?: string): void {
  expect(actual?.length, hint).toBe(expected.length)
  expect(Buffer.compare(actual ?? new Uint8Array(), expected), hint).toBe(0)
}

/** The code a promise fails with; undefined when it does not fail, the error itself when it is none of ours. */
export async function failureOf(promise: Promise<unknown>): Promise<ErrorCode | undefined | Error> {
  try {
    await promise
    return undefined
  } catch (error) {
    if (error instanceof EdgemountError) return error.code
    return error instanceof Error ? error : new Error(String(error))
  }
}

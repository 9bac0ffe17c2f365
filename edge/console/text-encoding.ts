/**
 * In which encoding a text is, as its first bytes say: for the previews and the differences, which decode with it. Pure.
 *
 * A file without a mark at its beginning is UTF-8, unless more of it is not than is: then it is shown as Windows-1252, as browsers show what says nothing of itself. That is
 * a guess, so it is told.
 */
export interface TextEncoding {
  readonly decoder: TextDecoder
  /** What is told; undefined for UTF-8. */
  readonly note: string | undefined
}

/** Zeros are looked for in so many bytes. */
const lookedAtBytes = 8192

/** Undefined for what is no text. `isWhole`: nothing comes after these bytes. */
export function encodingOf(first: Uint8Array, isWhole: boolean): TextEncoding | undefined {
  const mark = first.length >= 2 ? (first[0]! << 8) | first[1]! : 0
  if (mark === 0xfffe || mark === 0xfeff) return { decoder: new TextDecoder(mark === 0xfffe ? 'utf-16le' : 'utf-16be'), note: 'This text is UTF-16.' }
  if (first.subarray(0, lookedAtBytes).includes(0)) return undefined
  if (isMostlyUtf8(first, isWhole)) return { decoder: new TextDecoder(), note: undefined }
  return { decoder: new TextDecoder('windows-1252'), note: 'This text is not UTF-8: it is shown as Windows-1252, which may not be what it was written in.' }
}

/** The whole of a text; undefined for what is none. */
export function decodeText(bytes: Uint8Array): string | undefined {
  return encodingOf(bytes, true)?.decoder.decode(bytes)
}

/** One damaged byte in a long log does not make it another encoding. */
function isMostlyUtf8(first: Uint8Array, isWhole: boolean): boolean {
  const text = new TextDecoder().decode(first, { stream: !isWhole })
  const replaced = text.match(/\ufffd/g)?.length ?? 0
  if (replaced === 0) return true
  const other = text.match(/[^\0-\x7f\ufffd]/g)?.length ?? 0
  return replaced <= other
}

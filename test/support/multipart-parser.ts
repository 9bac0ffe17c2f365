/**
 * multipart/byteranges as RFC 9110 section 14.6 and RFC 2046 section 5.1.1 have it, read without mercy: what is not exactly that throws. It shares nothing
 * with the code that writes it.
 */
export interface BytesPart {
  readonly type: string
  /** As it stands there, for example `bytes 0-3/26`. */
  readonly contentRange: string
  readonly body: Buffer
}

export function parseMultipart(contentType: string, body: Buffer): BytesPart[] {
  const boundary = /^multipart\/byteranges; *boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})$/.exec(contentType)?.[1]
  if (boundary === undefined) throw new Error(`No multipart/byteranges: ${contentType}`)
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  // The first delimiter needs no line break before it; nginx sends one, as an empty preamble.
  const text = body.subarray(0, 2).toString() === '\r\n' ? body : Buffer.concat([Buffer.from('\r\n'), body])
  const parts: BytesPart[] = []
  let at = 0
  for (;;) {
    if (!text.subarray(at, at + delimiter.length).equals(delimiter)) throw new Error(`No delimiter at ${at}`)
    at += delimiter.length
    const after = text.subarray(at, at + 2).toString('latin1')
    if (after === '--') {
      if (text.subarray(at).toString('latin1') !== '--\r\n') throw new Error('Something follows the last delimiter')
      return parts
    }
    if (after !== '\r\n') throw new Error(`A delimiter is followed by ${JSON.stringify(after)}`)
    const headEnd = text.indexOf('\r\n\r\n', at)
    const head = new Map<string, string>()
    for (const line of text.subarray(at + 2, headEnd).toString('latin1').split('\r\n')) {
      const colon = line.indexOf(': ')
      head.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 2))
    }
    const contentRange = head.get('content-range') ?? ''
    const range = /^bytes (\d+)-(\d+)\/\d+$/.exec(contentRange)
    if (range === null || headEnd < 0) throw new Error(`A part has the Content-Range "${contentRange}"`)
    const length = Number(range[2]) - Number(range[1]) + 1
    at = headEnd + 4 + length
    parts.push({ type: head.get('content-type') ?? '', contentRange, body: text.subarray(headEnd + 4, at) })
  }
}

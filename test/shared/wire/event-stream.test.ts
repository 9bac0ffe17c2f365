import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventStreamParser, type StreamEvent } from '../../../shared/wire/event-stream.ts'

const encoder = new TextEncoder()

function parse(text: string): StreamEvent[] {
  return new EventStreamParser().push(encoder.encode(text))
}

describe('EventStreamParser', () => {
  it.each<[string, string, StreamEvent[]]>([
    ['one event', 'id: 7\nevent: commit\ndata: {}\n\n', [{ id: '7', type: 'commit', data: '{}' }]],
    ['defaults', 'data: x\n\n', [{ id: '', type: 'message', data: 'x' }]],
    ['several data lines', 'data: a\ndata:b\ndata\n\n', [{ id: '', type: 'message', data: 'a\nb\n' }]],
    ['one space only', 'data:  x\n\n', [{ id: '', type: 'message', data: ' x' }]],
    ['carriage returns', 'data: a\r\rdata: b\r\n\r\n', [{ id: '', type: 'message', data: 'a' }, { id: '', type: 'message', data: 'b' }]],
    ['a comment', ': still here\n\ndata: x\n\n', [{ id: '', type: 'message', data: 'x' }]],
    ['an event without data is none, its type is gone, its id stays', 'id: 3\nevent: a\n\ndata: x\n\n', [{ id: '3', type: 'message', data: 'x' }]],
    ['ids with NUL', 'id: 1\u0000\ndata: x\n\n', [{ id: '', type: 'message', data: 'x' }]],
    ['unknown fields', 'retry: 10\nnothing\ndata: x\n\n', [{ id: '', type: 'message', data: 'x' }]],
    ['a byte order mark', '\ufeffdata: x\n\n', [{ id: '', type: 'message', data: 'x' }]],
    ['no end', 'data: x\n', []],
  ])('%s', (_, text, events) => {
    expect(parse(text)).toEqual(events)
  })

  it('gives the same events however the bytes are cut', () => {
    const line = fc.constantFrom('data: ü🦔', 'data: x', 'event: commit', 'id: 12', ': comment', '', '')
    const end = fc.constantFrom('\n', '\r\n', '\r')
    fc.assert(
      fc.property(fc.array(fc.tuple(line, end), { maxLength: 30 }), fc.array(fc.nat(400)), (lines, cuts) => {
        const bytes = encoder.encode(lines.flat().join(''))
        const parser = new EventStreamParser()
        const events: StreamEvent[] = []
        let from = 0
        for (const cut of cuts.toSorted((a, b) => a - b)) {
          events.push(...parser.push(bytes.subarray(from, Math.min(cut, bytes.length))))
          from = Math.min(cut, bytes.length)
        }
        events.push(...parser.push(bytes.subarray(from)))
        expect(events).toEqual(new EventStreamParser().push(bytes))
      }),
    )
  })

  it('refuses an event without end', () => {
    const parser = new EventStreamParser()
    const portion = encoder.encode(`data: ${'x'.repeat(100_000)}\n`)
    expect(() => {
      for (let index = 0; index < 20; index += 1) parser.push(portion)
    }).toThrow(/Cannot read the events: one is longer/)
  })
})

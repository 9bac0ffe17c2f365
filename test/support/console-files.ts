/** A volume with something of each kind that the console shows. */
import { deflateSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { crc32 } from '../../edge/zip/crc32.ts'
import { concatBytes } from '../../shared/bytes.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { SeededRandom } from './seeded-random.ts'
import { fileOperation } from '../edge/edge-under-test.ts'

export const markdown = `# Read me

Some *text* with \`code\`, **bold**, ~~struck~~ and [a file](docs/notes.txt), [elsewhere](https://elsewhere.example/).

- [x] done
- [ ] to do

| name | count |
|---|--:|
| alpha | 1 |

> A quote.

\`\`\`js
const a = 1 < 2
\`\`\`

<img src=x onerror="globalThis.isHacked = true"><script>globalThis.isHacked = true</script>
[bad](javascript:globalThis.isHacked=true) ![remote](https://remote.example/pixel.png) ![near](media/picture.png)
`

/** 64 by 48 pixels of a slope. */
export function pngBytes(width = 64, height = 48): Uint8Array {
  const rows = new Uint8Array((width * 3 + 1) * height)
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) rows.set([Math.floor((x / width) * 255), Math.floor((y / height) * 255), 140], y * (width * 3 + 1) + 1 + x * 3)
  const part = (type: string, data: Uint8Array): Uint8Array => {
    const body = concatBytes([new TextEncoder().encode(type), data])
    const whole = new Uint8Array(body.length + 8)
    const view = new DataView(whole.buffer)
    view.setUint32(0, data.length)
    whole.set(body, 4)
    view.setUint32(body.length + 4, crc32(0, body))
    return whole
  }
  const head = new Uint8Array(13)
  new DataView(head.buffer).setUint32(0, width)
  new DataView(head.buffer).setUint32(4, height)
  head.set([8, 2, 0, 0, 0], 8)
  return concatBytes([Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), part('IHDR', head), part('IDAT', deflateSync(rows)), part('IEND', new Uint8Array(0))])
}

/** Two seconds of a tone. */
export function wavBytes(): Uint8Array {
  const rate = 8000
  const samples = rate * 2
  const bytes = new Uint8Array(44 + samples)
  const view = new DataView(bytes.buffer)
  bytes.set(new TextEncoder().encode('RIFF    WAVEfmt '), 0)
  view.setUint32(4, 36 + samples, true)
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, rate, true)
  view.setUint16(32, 1, true)
  view.setUint16(34, 8, true)
  bytes.set(new TextEncoder().encode('data'), 36)
  view.setUint32(40, samples, true)
  for (let index = 0; index < samples; index += 1) bytes[44 + index] = 128 + Math.round(60 * Math.sin((index / rate) * 440 * 2 * Math.PI))
  return bytes
}

export const pdfText = '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n'

export function parquetBytes(rowCount: number, settings: Partial<Parameters<typeof parquetWriteBuffer>[0]> = {}): Uint8Array {
  const rows = Array.from({ length: rowCount }, (_, index) => index)
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'id', data: rows, type: 'INT32' },
        { name: 'city', data: rows.map((row) => `city ${row % 7}`) },
        { name: 'when', data: rows.map((row) => new Date(1_700_000_000_000 + row * 1000)), type: 'TIMESTAMP' },
      ],
      ...settings,
    }),
  )
}

/** Numbers that no compression shortens, all in one row group. */
export function randomParquetBytes(rowCount: number, settings: Partial<Parameters<typeof parquetWriteBuffer>[0]> = {}, offsetIndex = true): Uint8Array {
  const bytes = new SeededRandom(9).bytes(rowCount * 4)
  const values = Array.from({ length: rowCount }, (_, index) => bytes[index * 4]! + bytes[index * 4 + 1]! * 256 + bytes[index * 4 + 2]! * 65_536 + (bytes[index * 4 + 3]! % 64) * 16_777_216)
  return new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'value', data: values, type: 'INT32', offsetIndex }], rowGroupSize: rowCount, ...settings }))
}

export async function consoleFiles(volume: Volume): Promise<Operation[]> {
  const mtime = { seconds: 1_760_000_000, nanoseconds: 0 }
  const file = (name: string, body: Uint8Array | string): Promise<Operation> => fileOperation(volume, name, body, { mtime })
  return [
    await file('/README.md', markdown),
    await file('/docs/notes.txt', Array.from({ length: 200 }, (_, index) => `line ${index + 1}`).join('\n')),
    await file('/docs/long.log', 'a line of a long log\n'.repeat(40_000)),
    await file('/docs/deep/er/leaf.txt', 'leaf'),
    await file('/data/cities.csv', `name,people\n${Array.from({ length: 60 }, (_, index) => `"City, ${index}",${index * 1000}`).join('\n')}\n`),
    await file('/data/table.parquet', parquetBytes(500)),
    await file('/data/random.bin', new SeededRandom(4).bytes(5000)),
    await file('/data/empty', ''),
    await file('/media/picture.png', pngBytes()),
    await file('/media/drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80"><script>parent.isHacked = true</script><rect width="120" height="80" fill="teal"/></svg>'),
    await file('/media/broken.png', 'no picture'),
    await file('/media/tone.wav', wavBytes()),
    await file('/media/page.pdf', pdfText),
    await file('/strange/ü ñ & 100%?#.txt', 'strange'),
    await file('/strange/<b>bold<b>.txt', 'no markup'),
    await file('/strange/raw\udcff.txt', 'bytes'),
    { op: 'symlink', path: '/shortcut', target: 'docs/notes.txt' },
    { op: 'mkdir', path: '/empty folder', mtime },
  ]
}

/** What the tables of this folder ask for: files whose bytes tell where they are, all changed at one time. */
import { decodeName } from '../../../shared/name.ts'

export const modifiedSeconds = Date.UTC(2025, 0, 15, 10) / 1000

export const dateOf = (seconds: number): string => new Date(seconds * 1000).toUTCString()

const letters = 'abcdefghijklmnopqrstuvwxyz'

/** Four digits at each fourth byte: 10,000 bytes. */
const digits = Array.from({ length: 2500 }, (_, index) => String(index).padStart(4, '0')).join('')

/** Eight digits at each eighth byte: 3,000,000 bytes, a dozen chunks. */
const many = Array.from({ length: 375_000 }, (_, index) => String(index).padStart(8, '0')).join('')

/** Path below `files/` → body. Each is in the volume and in the folder that nginx serves. */
export const files: Readonly<Record<string, string>> = {
  'letters.txt': letters,
  'digits.bin': digits,
  'big.bin': many,
  empty: '',
  'empty.txt': '',
  one: 'x',
  'dir/a.html': '<p>a</p>',
  'dir/b/c.txt': 'c',
  'names/a b.txt': 'space',
  'names/ü.txt': 'umlaut',
  'names/100%.txt': 'percent',
  'names/q?x#y.txt': 'question',
  'names/plus+and&.txt': 'plus',
  'names/semi;colon=1,2!$\'()*:@.txt': 'delimiters',
  'names/%2F': 'escaped escape',
  'names/new\nline': 'newline',
  'names/tab\t"quote"': 'tab',
  'names/back\\slash': 'backslash',
  'names/..x': 'two dots',
  'names/...': 'three dots',
  'names/dot.': 'dot at the end',
  'names/ lead': 'space before',
  'names/trail ': 'space behind',
  'names/@1': 'at',
  'names/emoji 🦔.txt': 'hedgehog',
  'names/日本語.txt': 'three bytes each',
  'names/é.txt': 'one code point',
  'names/e\u0301.txt': 'two code points',
  'names/\u202egnp.txt': 'right to left',
  [`names/${decodeName(Uint8Array.of(0xff))}`]: 'one byte ff',
  [`names/${decodeName(Uint8Array.of(0x66, 0xff, 0x80, 0x2e, 0x74, 0x78, 0x74))}`]: 'not UTF-8',
  [`names/${decodeName(Uint8Array.of(0xc3, 0x28))}`]: 'half of a character',
  [`names/${'x'.repeat(255)}`]: 'long',
  [`names/${'ü'.repeat(127)}`]: 'long in bytes',
  'names/<b>&': 'markup',
}

/** Names whose types are asked for, each a file of the bytes `data`. */
export const typedNames: Readonly<Record<string, string>> = {
  'a.html': 'text/html; charset=utf-8',
  'a.HTM': 'text/html; charset=utf-8',
  'a.css': 'text/css; charset=utf-8',
  'a.mjs': 'text/javascript; charset=utf-8',
  'a.md': 'text/markdown; charset=utf-8',
  'a.csv': 'text/csv; charset=utf-8',
  'a.json': 'application/json',
  'a.geojson': 'application/geo+json',
  'a.wasm': 'application/wasm',
  'a.pdf': 'application/pdf',
  'a.zip': 'application/zip',
  'a.tar.gz': 'application/gzip',
  'a.parquet': 'application/vnd.apache.parquet',
  'a.pmtiles': 'application/vnd.pmtiles',
  'a.tif': 'image/tiff',
  'a.JPG': 'image/jpeg',
  'a.svg': 'image/svg+xml',
  'a.mp4': 'video/mp4',
  'a.m3u8': 'application/vnd.apple.mpegurl',
  'a.ts': 'text/plain; charset=utf-8',
  'a.m4s': 'video/mp4',
  'a.woff2': 'font/woff2',
  'a.unknown': 'application/octet-stream',
  'a.': 'application/octet-stream',
  '.html': 'application/octet-stream',
  html: 'application/octet-stream',
}

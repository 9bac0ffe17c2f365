/**
 * What a file's name says about its content, and how a browser should name it when it is saved.
 */
import { encodeName } from './name.ts'

/** The type of a name without a known extension. */
export const defaultContentType = 'application/octet-stream'

/** Types by extension, grouped; text types get `charset=utf-8`. */
const extensionsOfType: Readonly<Record<string, string>> = {
  'text/html': 'html htm',
  'text/css': 'css',
  'text/javascript': 'js mjs cjs',
  'text/plain': 'txt text log conf ini cfg ts tsx jsx c h cc cpp hpp rs go py rb java kt swift sh bash zsh diff patch rst tex sql lock',
  'text/markdown': 'md markdown',
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'text/xml': 'xml xsl',
  'text/calendar': 'ics',
  'text/vtt': 'vtt',
  'application/json': 'json map ipynb webmanifest',
  'application/geo+json': 'geojson',
  'application/x-ndjson': 'ndjson jsonl',
  'application/yaml': 'yaml yml',
  'application/toml': 'toml',
  'application/wasm': 'wasm',
  'application/pdf': 'pdf',
  'application/zip': 'zip',
  'application/gzip': 'gz tgz',
  'application/zstd': 'zst',
  'application/x-bzip2': 'bz2',
  'application/x-xz': 'xz',
  'application/x-tar': 'tar',
  'application/x-7z-compressed': '7z',
  'application/vnd.apache.parquet': 'parquet',
  'application/vnd.apache.arrow.file': 'arrow feather',
  'application/vnd.pmtiles': 'pmtiles',
  'application/vnd.sqlite3': 'sqlite sqlite3 db',
  'application/x-hdf5': 'h5 hdf5',
  'application/x-netcdf': 'nc',
  'application/epub+zip': 'epub',
  'application/dash+xml': 'mpd',
  'application/vnd.apple.mpegurl': 'm3u8',
  'image/png': 'png',
  'image/jpeg': 'jpg jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/svg+xml': 'svg',
  'image/tiff': 'tif tiff',
  'image/bmp': 'bmp',
  'image/vnd.microsoft.icon': 'ico',
  'image/heic': 'heic',
  'image/jxl': 'jxl',
  'audio/mpeg': 'mp3',
  'audio/mp4': 'm4a',
  'audio/ogg': 'ogg oga opus',
  'audio/flac': 'flac',
  'audio/wav': 'wav',
  'audio/aac': 'aac',
  'video/mp4': 'mp4 m4v m4s cmfv',
  'video/webm': 'webm',
  'video/ogg': 'ogv',
  'video/x-matroska': 'mkv',
  'video/quicktime': 'mov',
  'video/mp2t': 'm2ts mts',
  'font/woff': 'woff',
  'font/woff2': 'woff2',
  'font/ttf': 'ttf',
  'font/otf': 'otf',
  'model/gltf+json': 'gltf',
  'model/gltf-binary': 'glb',
}

const typeOfExtension = new Map<string, string>()
for (const [type, extensions] of Object.entries(extensionsOfType)) {
  for (const extension of extensions.split(' ')) typeOfExtension.set(extension, type)
}

const scriptable = /^(?:text\/(?:html|xml|xsl)|application\/(?:xml|xhtml\+xml)|[^;]*\+xml)(?:;|$)/

/** HTML, SVG and XML: opened as a page they can bring scripts. */
export function isScriptable(contentType: string): boolean {
  return scriptable.test(contentType)
}

/** The `Content-Type` of a file with this name. */
export function contentTypeOf(name: string): string {
  const dot = name.lastIndexOf('.')
  const type = dot <= 0 ? undefined : typeOfExtension.get(name.slice(dot + 1).toLowerCase())
  if (type === undefined) return defaultContentType
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type
}

/**
 * The `Content-Disposition` that keeps `name` when the file is saved: RFC 6266 with RFC 8187's extended form for what is not plain ASCII.
 * Controls never reach the header.
 */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  // oxlint-disable-next-line no-control-regex -- controls and non-ASCII are what must not stand in a quoted-string
  const ascii = name.replaceAll(/[^\u0020-\u007e]|["\\%/]/g, '_')
  const plain = `${kind}; filename="${ascii}"`
  if (ascii === name) return plain
  let extended = ''
  for (const byte of encodeName(name)) {
    const character = String.fromCharCode(byte)
    extended += /[A-Za-z0-9!#$&+.^_`|~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return `${plain}; filename*=UTF-8''${extended}`
}

import { expect, test } from 'vitest'
import { parseStoreUrl, shownUrl } from '../../../edge/store/store-url.ts'
import { EdgemountError } from '../../../shared/error.ts'

const s3 = { kind: 's3', prefix: '', endpoint: undefined, region: undefined, isPathStyle: undefined }
const azure = { kind: 'azure', account: 'acc123', container: 'box', prefix: '', endpoint: undefined }

test.each([
  ['dir:./data', { kind: 'directory', path: './data' }],
  ['dir:/srv/a b', { kind: 'directory', path: '/srv/a b' }],
  ['DIR:x', { kind: 'directory', path: 'x' }],
  ['memory:', { kind: 'memory' }],
  ['s3://bucket', { ...s3, bucket: 'bucket' }],
  ['s3://bucket/', { ...s3, bucket: 'bucket' }],
  ['s3://bucket/a/b c/', { ...s3, bucket: 'bucket', prefix: 'a/b c' }],
  ['s3://bucket?endpoint=http://127.0.0.1:9000/&region=us-east-1', { ...s3, bucket: 'bucket', endpoint: 'http://127.0.0.1:9000', region: 'us-east-1' }],
  ['s3://bucket/p?endpoint=https%3A%2F%2Fs3.example%2Fbase&path-style=false', { ...s3, bucket: 'bucket', prefix: 'p', endpoint: 'https://s3.example/base', isPathStyle: false }],
  ['az://acc123/box', azure],
  ['az://acc123/box/a/b?endpoint=http://127.0.0.1:10000/acc123', { ...azure, prefix: 'a/b', endpoint: 'http://127.0.0.1:10000/acc123' }],
])('%s', (url, parsed) => {
  expect(parseStoreUrl(url)).toEqual(parsed)
})

test.each([
  ['./data', 'invalid', 'Cannot open the store "./data": it names no kind of store; for a directory write "dir:./data"'],
  ['', 'invalid', 'Cannot open the store "": it names no kind of store; for a directory write "dir:"'],
  ['dir:', 'invalid', 'Cannot open the store "dir:": "dir:" needs a path, for example dir:./data'],
  ['memory:x', 'invalid', 'Cannot open the store "memory:x": nothing may follow "memory:"'],
  ['ftp://u:secret@host/x', 'unsupported', 'Cannot open the store "ftp://…@host/x": "ftp:" is not supported; use dir:<path>, s3://<bucket>, az://<account>/<container> or memory:'],
  ['s3:bucket', 'invalid', 'Cannot open the store "s3:bucket": write s3://…'],
  ['s3://', 'invalid', 'Cannot open the store "s3://": it needs the name of a bucket, for example s3://my-bucket/prefix'],
  ['s3://key:secret@bucket/p', 'invalid', 'Cannot open the store "s3://…@bucket/p": keys and passwords do not belong into an address; give them in the environment'],
  ['s3://bucket?secret=abc', 'invalid', 'Cannot open the store "s3://bucket?…": it has no parameter "secret"; there are: endpoint, region, path-style'],
  ['s3://bucket?endpoint=http://u:secret@h', 'invalid', 'Cannot open the store "s3://bucket?…": keys and passwords do not belong into an address; give them in the environment'],
  ['s3://bucket?endpoint=host:9000', 'invalid', 'Cannot open the store "s3://bucket?…": its endpoint is no URL, such as https://storage.example'],
  ['s3://bucket?path-style=yes', 'invalid', 'Cannot open the store "s3://bucket?…": path-style is true or false'],
  ['s3://bucket/a//b', 'invalid', 'Cannot open the store "s3://bucket/a//b": its prefix must be printable ASCII parts joined by "/"'],
  ['s3://bucket/\u00fc', 'invalid', 'Cannot open the store "s3://bucket/\u00fc": its prefix must be printable ASCII parts joined by "/"'],
  ['az://acc123', 'invalid', 'Cannot open the store "az://acc123": it needs a container (3 to 63 letters, digits and "-"), for example az://account/container/prefix'],
  ['az://A/box', 'invalid', 'Cannot open the store "az://A/box": it needs a storage account (3 to 24 letters and digits), for example az://account/container/prefix'],
] as const)('%j is refused as %s', (url, code, message) => {
  expect(() => parseStoreUrl(url)).toThrow(new EdgemountError(code, message))
})

test('what may be a secret is not shown', () => {
  expect(shownUrl('s3://key:pass@word@bucket/p?sig=abc')).toBe('s3://…@bucket/p?…')
  expect(shownUrl('dir:/srv/a@b')).toBe('dir:/srv/a@b')
})

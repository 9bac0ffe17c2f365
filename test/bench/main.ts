/**
 * `npm run bench [-- part …] [--rounds N] [--big-mib N]`: measures a real `edgemount` beside the native file system and prints one table.
 *
 * Parts: import read tree scale write s3 edge browser. It never passes or fails: figures are medians of several rounds on whatever machine this is.
 */
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { Bed } from './bed.ts'
import { benchBrowser } from './browser.ts'
import { benchEdge } from './edge.ts'
import { makeFixture } from './fixture.ts'
import { benchImport } from './import.ts'
import { benchRead } from './read.ts'
import { benchS3 } from './s3.ts'
import { benchScale } from './scale.ts'
import { formatRow, printHeader, type Row } from './table.ts'
import { benchTree } from './tree.ts'
import { benchWrite } from './write.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, 'big-mib': { type: 'string', default: '1024' } },
})
const rounds = Number(values.rounds)
const wanted = (part: string): boolean => positionals.length === 0 || positionals.includes(part)
const print = (rows: readonly Row[]): void => {
  for (const row of rows) console.log(formatRow(row))
}

await using bed = new Bed()
console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${rounds} rounds\n`)
printHeader()
if (wanted('import') || wanted('read') || wanted('tree')) {
  const fixture = makeFixture(bed, Number(values['big-mib']) * 2 ** 20)
  // The later parts read the volumes that the import part makes.
  print(benchImport(bed, fixture, wanted('import') ? rounds : 1))
  if (wanted('read')) print(await benchRead(bed, fixture, rounds))
  if (wanted('tree')) print(await benchTree(bed, fixture, rounds))
}
if (wanted('scale')) print(await benchScale(bed, rounds))
if (wanted('write')) await benchWrite(bed, rounds, print)
if (wanted('s3')) print(await benchS3(bed, rounds))
if (wanted('edge')) await benchEdge(bed, rounds, print)
if (wanted('browser')) print(await benchBrowser(rounds))

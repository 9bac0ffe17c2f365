/**
 * A program of its own, so that it has a process of its own: makes files of a size in folders of 1,000, each opened, written and closed.
 * Arguments: directory, count, bytes. Prints the seconds that it took.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'

const [directory = '.', countText = '10000', bytesText = '4096'] = process.argv.slice(2)
const body = new Uint8Array(Number(bytesText))
const start = performance.now()
for (let index = 0; index < Number(countText); index += 1) {
  const folder = `${directory}/${Math.floor(index / 1000)}`
  if (index % 1000 === 0) mkdirSync(folder, { recursive: true })
  // No two are equal: nothing may be saved by finding the same bytes.
  body[index % body.length] = 1 + (index % 255)
  const fd = openSync(`${folder}/${index}`, 'w')
  writeSync(fd, body)
  closeSync(fd)
}
console.log((performance.now() - start) / 1000)

/** Clients that nobody here wrote read real files from the edge on each of its runtimes. What they do is in `test/suites/clients/`. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { runtimes } from '../edge/runtimes.ts'
import { type ClientBed, startClientBed } from '../suites/clients/bed.ts'
import { browserSuite } from '../suites/clients/browser.ts'
import { programSuite } from '../suites/clients/programs.ts'
import { readerSuite } from '../suites/clients/readers.ts'
import { type ClientBrowser, startClientBrowser } from '../support/client-browser.ts'
import { writeClientFiles } from '../support/client-files.ts'

let directory: string
let files: string
let browser: ClientBrowser

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'edgemount-clients-'))
  files = path.join(directory, 'files')
  await mkdir(files)
  await writeClientFiles(files)
  browser = await startClientBrowser()
})

afterAll(async () => {
  await browser?.close()
  await rm(directory, { recursive: true, force: true })
})

describe.each(runtimes)('an edge on %s', (_, start) => {
  let bed: ClientBed
  beforeAll(async () => {
    bed = await startClientBed(start, files)
  })
  afterAll(() => bed?.close())

  describe('readers', () => {
    readerSuite(() => bed)
  })
  describe('Chromium', () => {
    browserSuite(
      () => bed,
      () => browser,
    )
  })
  describe('programs', () => {
    programSuite(() => bed)
  })
})

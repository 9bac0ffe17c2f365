/** Clients that nobody here wrote read real files from the edge on each of its runtimes. What they do is in `test/suites/clients/`. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { tokenFor } from '../edge/access/tokens.ts'
import { closedRuntimes, runtimes } from '../edge/runtimes.ts'
import { type ClientBed, startClientBed } from '../suites/clients/bed.ts'
import { browserSuite } from '../suites/clients/browser.ts'
import { programSuite } from '../suites/clients/programs.ts'
import { readerSuite } from '../suites/clients/readers.ts'
import { tokenPathSuite } from '../suites/clients/token-path.ts'
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
    bed = await startClientBed(start, { files })
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

// Who is let in is decided before anything is read, alike on every runtime (`test/edge/access/`); so one is enough here.
describe('a closed edge and a token in the address', () => {
  let bed: ClientBed
  beforeAll(async () => {
    const token = await tokenFor({ rights: ['read', 'list'] })
    bed = await startClientBed(closedRuntimes[0]![1], { files, folders: ['hls', 'grid.zarr', 'strange'], token })
  })
  afterAll(() => bed?.close())

  tokenPathSuite(() => bed)
})

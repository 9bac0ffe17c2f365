/** The mechanical part of the project's style: layers, sizes, names, banned calls. A failure lists each place. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { contracts, findCycle, importFaults } from './support/tidy/layers.ts'
import {
  type Rule,
  fileLinesMax,
  fileNames,
  fileSize,
  functionLinesMax,
  noAmbientCalls,
  noAny,
  noBarrels,
  noEmptyWords,
  noExcuses,
  noSkippedTests,
  openingParagraph,
  sharedIsNeutral,
} from './support/tidy/rules.ts'
import { findLines, isProduction, lineCount, makeSource, readSources } from './support/tidy/source.ts'

const root = path.resolve(import.meta.dirname, '..')
const sources = readSources(root)
const production = sources.filter(isProduction)

/** Each rule with a file that breaks it. */
const rules: readonly (readonly [what: string, rule: Rule, brokenPath: string, brokenText: string])[] = [
  ['file names are kebab-case and say something', fileNames, 'shim/cache/path-utils.ts', ''],
  ['production files open with a paragraph', openingParagraph, 'shared/x.ts', 'export const a = 1\n'],
  [`files have at most ${fileLinesMax} lines`, fileSize, 'test/x.test.ts', '\n'.repeat(fileLinesMax + 1)],
  ['nothing passes on what another file exports', noBarrels, 'shared/x.ts', "export { a } from './a.ts'\n"],
  ['time, chance and timers are injected', noAmbientCalls, 'shim/cache/x.ts', 'const a = `${Date.now()}`\n'],
  ['shared/ uses no Buffer and no process', sharedIsNeutral, 'shared/x.ts', 'const a = Buffer.from([])\n'],
  ['there is no any', noAny, 'shared/x.ts', 'const a = b as any\n'],
  ['nothing is excused', noExcuses, 'shared/x.ts', '// TODO: later\n'],
  ['no test is skipped or alone', noSkippedTests, 'test/x.test.ts', "test.only('x', () => {})\n"],
  ['names say what a thing is', noEmptyWords, 'shared/x.ts', 'class CacheManager {}\n'],
]

describe('files', () => {
  test.each(rules)('%s', (_, rule) => {
    expect(sources.flatMap(rule)).toEqual([])
  })

  test.each(rules)('this can fail: %s', (_, rule, brokenPath, brokenText) => {
    expect(rule(makeSource(brokenPath, brokenText))).toHaveLength(1)
  })

  test('sizes: median at most 120 lines, nine of ten at most 300', () => {
    const sizes = production.map(lineCount).toSorted((a, b) => a - b)
    expect(sizes[Math.floor(sizes.length / 2)]).toBeLessThanOrEqual(120)
    expect(sizes[Math.floor(sizes.length * 0.9)]).toBeLessThanOrEqual(300)
  })

  test(`functions have at most ${functionLinesMax} lines`, () => {
    expect(longFunctions(functionLinesMax)).toEqual([])
    expect(longFunctions(10).length).toBeGreaterThan(0)
  })
})

describe('layers', () => {
  test('arrows point down', () => {
    expect(production.flatMap(importFaults)).toEqual([])
  })

  test('there are no cycles', () => {
    expect(findCycle(sources)).toBeUndefined()
    const loop = [makeSource('shared/a.ts', "import './b.ts'"), makeSource('shared/b.ts', "import type { A } from './a.ts'")]
    expect(findCycle(loop)).toEqual(['shared/a.ts', 'shared/b.ts', 'shared/a.ts'])
  })

  test('contracts hold types alone', () => {
    const code = production.filter((source) => contracts.has(source.path)).flatMap((source) => findLines(source, /^export (?!type|interface)|^(?:const|let|function|class)/))
    expect(code).toEqual([])
  })

  test.each([
    ['shared/range.ts', '../edge/app.ts', 'shared/ imports nothing above it'],
    ['shared/range.ts', './volume/volume.ts', 'the arrow points up'],
    ['shared/format/page.ts', '../store.ts', 'the arrow points up'],
    ['shared/volume/volume.ts', '../wire/client.ts', 'the arrow points up'],
    ['shared/range.ts', 'node:fs', 'belongs to'],
    ['shared/new-thing.ts', './range.ts', 'has no layer'],
    ['edge/store/limit.ts', '../app.ts', 'the arrow points up'],
    ['edge/routes/files.ts', '../../shim/config.ts', 'meet only in'],
    ['edge/browser/volume.ts', '../route.ts', 'do not know each other'],
    ['edge/app.ts', './browser/volume.ts', 'do not know each other'],
    ['edge/browser/volume.ts', '../console/page.ts', 'the arrow points up'],
    ['edge/browser/volume.ts', 'node:fs', 'belongs to'],
    ['shim/command/put.ts', '../../edge/app.ts', 'meet only in'],
    ['shim/cache/cache.ts', '../fuse/loop.ts', 'two folders of one layer'],
    ['shim/sys/linux.ts', '../fs/volume-handler.ts', 'the arrow points up'],
    ['shim/fuse/loop.ts', '../../shared/store.ts', 'the driver knows no volumes'],
    ['shim/volume/follower.ts', '../fuse/handler.ts', 'know the driver'],
    ['shim/cache/cache.ts', 'koffi', 'belongs to'],
    ['shim/cache/cache.ts', 'left-pad', 'has no home'],
    ['shim/cache/cache.ts', '../../test/support/manual-clock.ts', 'does not know the tests'],
  ])('this can fail: %s → %s', (from, target, why) => {
    expect(importFaults(makeSource(from, `import { x } from '${target}'\n`))).toEqual([expect.stringContaining(why)])
  })
})

describe('reading source text', () => {
  test('comments and strings are no code', () => {
    const text = ["const a = 'Date.now()' // Date.now()", 'const b = `Date.now() ${c(`x`)} /* */`', 'const d = /["\'`/*]/.test(a) /* Date.now() */', 'e()'].join('\n')
    const { code } = makeSource('shared/x.ts', text)
    expect(code).not.toContain('Date')
    expect(code).toContain('c(` `)')
    expect(code.split('\n').map((line) => line.length)).toEqual(text.split('\n').map((line) => line.length))
    expect(code.split('\n')[3]).toBe('e()')
  })

  test('imports of every form are seen', () => {
    const text = [
      "import './a.ts'",
      'import { b } from "./b.ts"',
      'import type {\n  C,\n} from "../c.ts"',
      "await import('./d.ts')",
      "new URL('./e.ts', import.meta.url)",
      "// import './f.ts'",
      "import x from 'pkg'",
      'fail("Cannot import \'./g.ts\'", `import \'${x}\'`)',
    ].join('\n')
    expect(makeSource('shared/volume/x.ts', text).imports).toEqual(['shared/volume/a.ts', 'shared/volume/b.ts', 'shared/c.ts', 'shared/volume/d.ts', 'shared/volume/e.ts', 'pkg'])
  })
})

/** Functions of production code with more lines than this, as `<path>:<line>`. The linter counts, with this one rule. */
function longFunctions(linesMax: number): string[] {
  const directory = mkdtempSync(path.join(tmpdir(), 'edgemount-test-'))
  try {
    const config = path.join(directory, 'functions.json')
    writeFileSync(config, JSON.stringify({ categories: { correctness: 'off' }, rules: { 'max-lines-per-function': ['error', { max: linesMax }] } }))
    const command = path.join(root, 'node_modules/.bin/oxlint')
    const lines = runReporting(command, ['-c', config, '--format', 'unix', 'edge', 'shim', 'shared'])
    return lines.filter((line) => line.includes('max-lines-per-function'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The lines a tool prints, whether it is content or not. */
function runReporting(command: string, args: readonly string[]): string[] {
  try {
    return execFileSync(command, args, { cwd: root, encoding: 'utf8' }).split('\n')
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string' && error.stdout !== '') return error.stdout.split('\n')
    throw error
  }
}

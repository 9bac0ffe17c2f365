/** Rules about single files. Each gives its violations as readable lines; none is empty by accident, `test/tidy.test.ts` shows that each can fail. */
import { type Source, findLines, isProduction, lineCount } from './source.ts'

/** Where time, chance and timers of the platform enter: the entries of the processes and threads, and the two files that give them an interface. */
const ambientHomes = new Set([
  'shared/clock.ts',
  'shared/random.ts',
  'edge/node.ts',
  'edge/deno.ts',
  'edge/worker.ts',
  'shim/main.ts',
  'shim/program.ts',
  'shim/daemon/fs-worker.ts',
  'shim/fuse/notify-worker.ts',
  'shim/fuse/run-loop.ts',
])

const ambientCalls = new RegExp(
  [
    'Date\\.now\\b',
    'new Date\\(\\)',
    'performance\\.now\\b',
    'process\\.hrtime\\b',
    'Math\\.random\\b',
    'getRandomValues\\b',
    'randomUUID\\b',
    'randomBytes\\b',
    '(?<![.\\w])(?:setTimeout|setInterval)\\(',
    'AbortSignal\\.timeout\\b',
  ].join('|'),
)

const bannedNameParts = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'types', 'manager', 'managers', 'service', 'services', 'misc', 'stuff'])

export const fileLinesMax = 500
export const functionLinesMax = 70

export type Rule = (source: Source) => string[]

/** Kebab-case file and folder names, none of which says nothing. */
export const fileNames: Rule = ({ path }) => {
  const parts = path.replace(/((\.[a-z]+)?\.test|\.config|\.d)?\.ts$/, '').split('/')
  const isKebab = parts.every((part) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(part))
  // A service worker is what browsers call one.
  const banned = parts.find((part) => part === 'index' || part.replace('service-worker', 'worker').split('-').some((word) => bannedNameParts.has(word)))
  if (!isKebab) return [`${path}: names of files and folders are kebab-case`]
  return banned === undefined ? [] : [`${path}: "${banned}" says nothing about what is in it`]
}

/** Production files open with a paragraph about what lives there. */
export const openingParagraph: Rule = (source) =>
  !isProduction(source) || /^(#!.*\n)?\/\*\*/.test(source.text) ? [] : [`${source.path}: opens without a paragraph that says what lives here`]

export const fileSize: Rule = (source) => (lineCount(source) <= fileLinesMax ? [] : [`${source.path}: ${lineCount(source)} lines, at most ${fileLinesMax}`])

/** Nothing passes on what another file exports. */
export const noBarrels: Rule = (source) => (isProduction(source) ? findLines(source, /^\s*export\s+(type\s+)?(\*|\{[^}]*\}\s*from\b)/) : [])

export const noAmbientCalls: Rule = (source) => (isProduction(source) && !ambientHomes.has(source.path) ? findLines(source, ambientCalls) : [])

/** `shared/` runs in browsers and Workers too. */
export const sharedIsNeutral: Rule = (source) =>
  source.path.startsWith('shared/') ? findLines(source, /(?<![.\w])(?:Buffer|process|__dirname|require|Deno|Bun)\s*[.([]/) : []

export const noAny: Rule = (source) => findLines(source, /(?:[:<,|&]|\bas)\s*any\b(?!\s*[:(])/)

export const noExcuses: Rule = (source) =>
  source.path.startsWith('test/support/tidy/') || source.path === 'test/tidy.test.ts'
    ? []
    : findLines(source, /@ts-ignore|@ts-expect-error|@ts-nocheck|\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b/, 'text')

export const noSkippedTests: Rule = (source) => findLines(source, /\b(?:test|it|describe)\.(?:skip|only|todo|fails)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(/)

/** Names that say nothing: classes and functions are called after the thing, not after their shape. */
export const noEmptyWords: Rule = (source) => findLines(source, /\b(?:class|interface|type|function)\s+\w*(?:Manager|Service|Helper|Helpers|Util|Utils)\b/)

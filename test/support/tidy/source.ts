/** The project's TypeScript files, and what can be said about their text without a compiler: their code without comments and strings, their imports. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

export interface Source {
  /** Relative to the project's root, with slashes. */
  readonly path: string
  readonly text: string
  /** The text with comments and the insides of strings blanked, line for line. */
  readonly code: string
  /** What it imports: project files as paths from the root, everything else as written. */
  readonly imports: readonly string[]
}

const folders = ['shared', 'edge', 'shim', 'test']

export function readSources(root: string): Source[] {
  const names = folders.flatMap((folder) => readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`))
  const files = names.filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
  return files.toSorted().map((name) => makeSource(name, readFileSync(path.join(root, name), 'utf8')))
}

export function makeSource(name: string, text: string): Source {
  const code = blank(text)
  return { path: name, text, code, imports: importsOf(name, text, code) }
}

/** Production code: what is shipped. */
export function isProduction({ path: name }: Source): boolean {
  return !name.startsWith('test/')
}

export function lineCount({ text }: Source): number {
  return text.split('\n').length - 1
}

/** `<path>:<line>: <the line>` for each match. */
export function findLines(source: Source, pattern: RegExp, where: 'code' | 'text' = 'code'): string[] {
  const lines = source.text.split('\n')
  return source[where].split('\n').flatMap((line, index) => (pattern.test(line) ? [`${source.path}:${index + 1}: ${lines[index]!.trim().slice(0, 100)}`] : []))
}

/** The keyword is looked for in the code and its string in the text, so that a message which says "import" is no import. */
function importsOf(name: string, text: string, code: string): string[] {
  const pattern = /\b(?:from|import|require\s*\(|import\s*\(|new\s+URL\s*\()\s*(['"])( *)\1/gd
  return Array.from(code.matchAll(pattern), (match) => text.slice(...match.indices![2]!))
    .filter((target) => !target.startsWith('.') || target.endsWith('.ts'))
    .map((target) => (target.startsWith('.') ? path.posix.normalize(path.posix.join(path.posix.dirname(name), target)) : target))
}

/** A slash after one of these begins a regular expression, after anything else it divides. */
const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*%~^<>\n]|\b(?:return|typeof|case|in|of|do|else|void|throw|await|yield))\s*$/

/** Replaces comments and the insides of strings and regular expressions by spaces. */
function blank(text: string): string {
  let out = ''
  let index = 0
  /** Brace depths at which a template's `${` was opened. */
  const templates: number[] = []
  let depth = 0
  const take = (length: number, isBlank: boolean): void => {
    const part = text.slice(index, index + length)
    out += isBlank ? part.replaceAll(/[^\n]/g, ' ') : part
    index += length
  }
  const template = (): void => {
    const match = /^(?:[^\\`$]|\\[^]|\$(?!\{))*/.exec(text.slice(index))!
    take(match[0].length, true)
    if (text.startsWith('${', index)) {
      templates.push(depth)
      depth += 1
      take(2, false)
    } else take(1, false)
  }
  while (index < text.length) {
    const rest = text.slice(index, index + 2)
    const char = text[index]!
    if (rest === '//') take(lengthOf(/^[^\n]*/, text, index), true)
    else if (rest === '/*') take(lengthOf(/^\/\*[^]*?\*\//, text, index), true)
    else if (char === "'" || char === '"') {
      const length = lengthOf(char === "'" ? /^'(?:[^'\\\n]|\\[^])*'/ : /^"(?:[^"\\\n]|\\[^])*"/, text, index)
      take(1, false)
      take(length - 2, true)
      take(1, false)
    } else if (char === '/' && beforeRegex.test(out.slice(-40))) take(lengthOf(/^\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/, text, index), true)
    else if (char === '`') {
      take(1, false)
      template()
    } else {
      if (char === '{') depth += 1
      if (char === '}') depth -= 1
      take(1, false)
      if (char === '}' && templates.at(-1) === depth) {
        templates.pop()
        template()
      }
    }
  }
  return out
}

function lengthOf(pattern: RegExp, text: string, index: number): number {
  return Math.max(pattern.exec(text.slice(index))?.[0].length ?? 1, 1)
}

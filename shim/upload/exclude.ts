/**
 * Patterns of names to leave out, in the manner of `.gitignore` and rsync, over the bytes of names.
 *
 * A pattern without a slash (or with one at its end only) matches a name at any depth; any other is matched against the whole path from the imported
 * folder. `*` and `?` do not cross slashes, `**` does; `[a-z]` and `[!a-z]` are sets; a slash at the end matches folders only.
 */
import { EdgemountError } from '../../shared/error.ts'

/** `path` is relative, without a leading slash. */
export type Excludes = (path: string, name: string, isDirectory: boolean) => boolean

/** What `compileExcludes` gives for no patterns. */
export const excludeNothing: Excludes = () => false

export function compileExcludes(patterns: readonly string[]): Excludes {
  const rules = patterns.map(compile)
  if (rules.length === 0) return excludeNothing
  return (path, name, isDirectory) => rules.some((rule) => (isDirectory || !rule.isDirectoryOnly) && rule.expression.test(rule.isWholePath ? path : name))
}

function compile(pattern: string): { expression: RegExp; isWholePath: boolean; isDirectoryOnly: boolean } {
  if (/^\/*$/.test(pattern)) throw new EdgemountError('invalid', `Cannot use the pattern "${pattern}": it names nothing`)
  if (pattern.startsWith('!')) throw new EdgemountError('invalid', `Cannot use the pattern "${pattern}": there is no way to take names in again; for a name that begins with "!" write "\\${pattern}"`)
  const isDirectoryOnly = pattern.endsWith('/')
  const body = isDirectoryOnly ? pattern.slice(0, -1) : pattern
  const isWholePath = body.includes('/')
  return { expression: new RegExp(`^${translate(body.replace(/^\//, ''), pattern)}$`, 's'), isWholePath, isDirectoryOnly }
}

function translate(glob: string, pattern: string): string {
  let out = ''
  let index = 0
  while (index < glob.length) {
    const rest = glob.slice(index)
    const step = /^(\*\*\/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|\\.|.)/s.exec(rest)?.[0] ?? rest
    if (step === '[') throw new EdgemountError('invalid', `Cannot use the pattern "${pattern}": "[" is not closed`)
    out += translateStep(step)
    index += step.length
  }
  return out
}

function translateStep(step: string): string {
  if (step === '**/') return '(?:.*/)?'
  if (step === '**') return '.*'
  if (step === '*') return '[^/]*'
  if (step === '?') return '[^/]'
  if (step.length > 1 && step.startsWith('[')) {
    const isNegated = step[1] === '!' || step[1] === '^'
    return `[${isNegated ? '^/' : ''}${step.slice(isNegated ? 2 : 1, -1).replaceAll(/[\\\][^]/g, String.raw`\$&`)}]`
  }
  return (step.length > 1 ? step.slice(1) : step).replaceAll(/[$()*+./?[\\\]^{|}]/g, String.raw`\$&`)
}

import { expect, test } from 'vitest'
import { compileExcludes } from '../../../shim/upload/exclude.ts'

/** `path/` is a folder. */
function leavesOut(pattern: string, path: string): boolean {
  const isDirectory = path.endsWith('/')
  const plain = isDirectory ? path.slice(0, -1) : path
  return compileExcludes([pattern])(plain, plain.split('/').at(-1) ?? '', isDirectory)
}

test.each([
  ['*.log', ['a.log', 'deep/down/b.log', '.log'], ['a.logs', 'log', 'a.log/x']],
  ['node_modules', ['node_modules/', 'a/node_modules/', 'node_modules'], ['node_modules2', 'node_modules/x']],
  ['build/', ['build/', 'a/build/'], ['build', 'a/build']],
  ['/build/', ['build/'], ['a/build/', 'build']],
  ['docs/*.md', ['docs/a.md'], ['docs/a/b.md', 'x/docs/a.md', 'a.md']],
  ['docs/**/*.md', ['docs/a.md', 'docs/a/b.md', 'docs/a/b/c.md'], ['docs.md', 'docs/a.txt']],
  ['**/tmp/x', ['tmp/x', 'a/tmp/x', 'a/b/tmp/x'], ['atmp/x']],
  ['cache/**', ['cache/a', 'cache/a/b'], ['cache/', 'caches/a']],
  ['?.[ch]', ['a.c', 'b.h'], ['ab.c', 'a.o', '.c']],
  ['[!a]*', ['b', 'bc'], ['a', 'ab']],
  ['[a-c]', ['b'], ['d', '-']],
  [String.raw`\*`, ['*'], ['a']],
  ['a+b(c).{x}', ['a+b(c).{x}'], ['aab(c).{x}', 'abc.x']],
  ['é*', ['écran'], ['e']],
  ['*\udcff', ['a\udcff'], ['aÿ']],
  ['line\nbreak', ['line\nbreak'], ['line']],
])('%j', (pattern, out, kept) => {
  for (const path of out) expect(leavesOut(pattern, path), `leaves out ${path}`).toBe(true)
  for (const path of kept) expect(leavesOut(pattern, path), `keeps ${path}`).toBe(false)
})

test('without patterns nothing is left out, and an unclosed set is refused', () => {
  expect(compileExcludes([])('a', 'a', false)).toBe(false)
  for (const pattern of ['', '/', '//']) expect(() => compileExcludes([pattern])).toThrow('it names nothing')
  expect(() => compileExcludes(['!x'])).toThrow('for a name that begins with "!" write "\\!x"')
  expect(compileExcludes([String.raw`\!x`])('!x', '!x', false)).toBe(true)
  expect(() => compileExcludes(['[abc'])).toThrow('"[" is not closed')
})

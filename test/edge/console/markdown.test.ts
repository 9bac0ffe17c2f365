/** Markdown: what people write becomes what they mean, and nothing of it becomes markup, an address of another scheme, or slow. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Block, parseMarkdown } from '../../../edge/console/markdown.ts'
import { pathOf } from '../../../edge/console/markdown-view.ts'
import { type Inline, parseInline } from '../../../edge/console/markdown-inline.ts'

/** As short text: kinds as signs. */
function inlineText(content: readonly Inline[]): string {
  return content
    .map((each) => {
      switch (each.kind) {
        case 'text':
          return each.text
        case 'code':
          return `C(${each.text})`
        case 'break':
          return '↵'
        case 'image':
          return `I(${each.text}|${each.source})`
        case 'link':
          return `L(${inlineText(each.content)}|${each.target})`
        default:
          return `${each.kind[0]!.toUpperCase()}${each.kind === 'strike' ? 'x' : ''}(${inlineText(each.content)})`
      }
    })
    .join('')
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `h${block.level}(${inlineText(block.content)})`
    case 'paragraph':
      return `p(${inlineText(block.content)})`
    case 'code':
      return `code:${block.language}(${block.text})`
    case 'quote':
      return `q(${block.blocks.map(blockText).join(' ')})`
    case 'list':
      return `${block.isOrdered ? `ol${block.start}` : 'ul'}(${block.items.map(({ isDone, blocks }) => `${isDone === undefined ? '' : isDone ? '[x]' : '[ ]'}${blocks.map(blockText).join(' ')}`).join(', ')})`
    case 'table':
      return `table[${block.aligns.map((align) => align ?? '-').join()}](${[block.head, ...block.rows].map((row) => row.map(inlineText).join('|')).join(' / ')})`
    default:
      return 'hr'
  }
}

const shown = (text: string): string => parseMarkdown(text).map(blockText).join(' ')

describe('blocks', () => {
  test.each([
    ['# One\n## Two ##\nThree\n=====\nFour\n---', 'h1(One) h2(Two) h1(Three) h2(Four)'],
    ['one\ntwo\n\nthree', 'p(one\ntwo) p(three)'],
    ['```js\nlet a = `<b>`\n\n# no\n```\nafter', 'code:js(let a = `<b>`\n\n# no) p(after)'],
    ['~~~\nopen to the end', 'code:(open to the end)'],
    ['    indented\n\n    more', 'code:(indented\n\nmore)'],
    ['> quoted\n> > deeper\n\nafter', 'q(p(quoted) q(p(deeper))) p(after)'],
    ['- one\n- two\n  more\n  - inner\n- three', 'ul(p(one), p(two\nmore) ul(p(inner)), p(three))'],
    ['3. three\n4. four', 'ol3(p(three), p(four))'],
    ['- [x] done\n- [ ] not', 'ul([x]p(done), [ ]p(not))'],
    ['- one\n\n- two\n\nafter', 'ul(p(one), p(two)) p(after)'],
    ['***\n---\n_ _ _', 'hr hr hr'],
    ['| a | b |\n|:--|--:|\n| 1 | `x\\|y` |\n| 2 |', 'table[left,right](a|b / 1|C(x|y) / 2|)'],
    ['a | b\nno table', 'p(a | b\nno table)'],
    ['', ''],
  ])('%j', (text, expected) => {
    expect(shown(text)).toBe(expected)
  })
})

describe('the inside of a paragraph', () => {
  test.each([
    ['*a* _b_ **c** __d__ ~~e~~', 'E(a) E(b) S(c) S(d) Sx(e)'],
    ['**a *b* c**', 'S(a E(b) c)'],
    ['snake_case_name 2 * 3 * 4', 'snake_case_name 2 * 3 * 4'],
    ['`a` ``b ` c`` `open', 'C(a) C(b ` c) `open'],
    ['[text *em*](docs/a%20b.md "title") [x](<a b>)', 'L(text E(em)|docs/a%20b.md) L(x|a b)'],
    ['![alt](a.png) [no](', 'I(alt|a.png) [no]('],
    ['<https://a.example/x> https://b.example/y. (https://c.example)', 'L(https://a.example/x|https://a.example/x) L(https://b.example/y|https://b.example/y). (L(https://c.example|https://c.example))'],
    ['\\*no\\* \\[x\\](y) \\a', '*no* [x](y) \\a'],
    ['<b onclick="x">bold</b> <script>alert(1)</script>', '<b onclick="x">bold</b> <script>alert(1)</script>'],
    ['one  \ntwo', 'one  ↵two'],
  ])('%j', (text, expected) => {
    expect(inlineText(parseInline(text))).toBe(expected)
  })
})

test('whatever is written, it is read, soon, and loses none of its letters', () => {
  const piece = fc.constantFrom('*', '**', '_', '`', '```', '[', ']', '(', ')', '!', '<', '>', '|', '\n', '\n\n', '- ', '> ', '# ', '    ', 'word', '\\', '~~', '1. ', '---', 'https://x', '&', '"')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = pieces.join('')
      const words = (all: string): number => all.split('word').length
      // A reference may hold a word in its address, which `shown` has, too.
      expect(words(shown(text))).toBeGreaterThanOrEqual(words(text) - (text.match(/```|\|/g)?.length ?? 0) - (text.match(/"/g)?.length ?? 0))
    }),
  )
  for (const piece of ['[', '*a ', '_', '> ', '`', '- ', '![', '<', '**a', '(', '|']) {
    const startMs = performance.now()
    parseMarkdown(piece.repeat(50_000))
    parseMarkdown(`${piece}\n`.repeat(10_000))
    expect([piece, performance.now() - startMs < 3000]).toEqual([piece, true])
  }
})

describe('an address in a file', () => {
  test.each([
    ['b.md', '/docs/b.md'],
    ['./img/a%20b.png?raw#x', '/docs/img/a b.png'],
    ['../c.md', '/c.md'],
    ['../../d.md', undefined],
    ['/top.md', '/top.md'],
    ['sub/../e.md', '/docs/e.md'],
    ['100%.md', '/docs/100%.md'],
    ['javascript:alert(1)', undefined],
    ['JaVaScRiPt:alert(1)', undefined],
    ['data:text/html,x', undefined],
    ['//evil.example/x', undefined],
    ['\\\\evil', undefined],
    ['https://evil.example/x.png', undefined],
    ['%2e%2e/x', undefined],
    ['a%2fb', undefined],
    ['#part', undefined],
    ['', undefined],
  ])('%s in /docs/a.md is %s', (target, expected) => {
    expect(pathOf(target, '/docs/a.md')).toBe(expected)
  })
})

// Each of them took minutes, or would have taken days, where a rule looked at a line again for each of its letters.
test.each([
  ['a heading and spaces', `# a${' '.repeat(500_000)}b`],
  ['a heading, spaces and a lone carriage return', `# ${' '.repeat(200_000)}a\rb`],
  ['spaces below a pipe', `a | b\n${' '.repeat(500_000)}x`],
  ['a row of brackets', '['.repeat(1_000_000)],
  ['a row of backticks', '`'.repeat(1_000_000)],
  ['addresses of full stops', `https://${'.'.repeat(1990)}x `.repeat(500)],
  ['a table that is wider than the page is long', `${'|'.repeat(100_000)}\n${'|-'.repeat(100_000)}|\n${'|\n'.repeat(2000)}`],
])('%s is read in time', (_, text) => {
  expect(parseMarkdown(text).length).toBeGreaterThan(0)
}, 15_000)

test('headings end where their marks begin, and a mark that touches a word is part of it', () => {
  const title = (line: string): unknown => parseMarkdown(line)[0]
  const of = (level: number, text: string): object => ({ kind: 'heading', level, content: text === '' ? [] : [{ kind: 'text', text }] })
  expect([title('# a'), title('## a ##  '), title('# a#'), title('#'), title('# #'), title('###### x')]).toEqual([of(1, 'a'), of(2, 'a'), of(1, 'a#'), of(1, ''), of(1, ''), of(6, 'x')])
  expect([title('#a'), title('####### x')]).toMatchObject([{ kind: 'paragraph' }, { kind: 'paragraph' }])
})

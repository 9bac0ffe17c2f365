/**
 * Elements of parsed Markdown. Addresses lead to files of the same volume, or to http, https and mailto when somebody follows them; nothing is loaded from elsewhere,
 * and no other scheme is an address at all.
 */
import { decodeName, encodeName } from '../../shared/name.ts'
import { isWithin, parentPath, percentDecodePath, rootPath } from '../../shared/path.ts'
import { formatAddress } from './address.ts'
import { append, element } from './element.ts'
import type { Block } from './markdown.ts'
import type { Inline } from './markdown-inline.ts'
import type { Context } from './panel.ts'

export function markdownElement(blocks: readonly Block[], context: Context): HTMLElement {
  return element('article', { class: 'markdown' }, ...blocks.map((block) => blockElement(block, context)))
}

/** The page's own title is the first level. */
const headings = ['h2', 'h3', 'h4', 'h5', 'h6', 'h6'] as const

function blockElement(block: Block, context: Context): HTMLElement {
  const inside = (content: readonly Inline[]): Node[] => content.map((each) => inlineNode(each, context))
  switch (block.kind) {
    case 'heading':
      return element(headings[block.level - 1] ?? 'h6', {}, ...inside(block.content))
    case 'paragraph':
      return element('p', {}, ...inside(block.content))
    case 'code':
      return element('pre', { tabindex: 0 }, element('code', {}, block.text))
    case 'quote':
      return element('blockquote', {}, ...block.blocks.map((each) => blockElement(each, context)))
    case 'list': {
      const items = block.items.map(({ isDone, blocks }) => {
        const mark = isDone === undefined ? undefined : element('input', { type: 'checkbox', disabled: true, checked: isDone, 'aria-label': isDone ? 'done' : 'to do' })
        const only = blocks.length === 1 && blocks[0]?.kind === 'paragraph' ? inside(blocks[0].content) : blocks.map((each) => blockElement(each, context))
        return element('li', { class: isDone === undefined ? undefined : 'task' }, mark, ...only)
      })
      return block.isOrdered ? element('ol', { start: block.start }, ...items) : element('ul', {}, ...items)
    }
    case 'rule':
      return element('hr')
    default: {
      const cell = (tag: 'th' | 'td') => (content: readonly Inline[], column: number) =>
        element(tag, { class: block.aligns[column] && `align-${block.aligns[column]}`, scope: tag === 'th' ? 'col' : undefined }, ...inside(content))
      const head = element('thead', {}, element('tr', {}, ...block.head.map(cell('th'))))
      const rows = block.rows.map((row) => element('tr', {}, ...row.map(cell('td'))))
      return element('div', { class: 'data-scroll', tabindex: 0, role: 'region', 'aria-label': 'Table' }, element('table', { class: 'data' }, head, element('tbody', {}, ...rows)))
    }
  }
}

function inlineNode(inline: Inline, context: Context): Node {
  switch (inline.kind) {
    case 'text':
      return document.createTextNode(inline.text)
    case 'code':
      return element('code', {}, inline.text)
    case 'break':
      return element('br')
    case 'image':
      return imageNode(inline.source, inline.text, context)
    case 'link':
      return linkNode(inline.target, inline.content, context)
    default: {
      const made = element(({ strong: 'strong', emphasis: 'em', strike: 's' } as const)[inline.kind])
      append(made, inline.content.map((each) => inlineNode(each, context)))
      return made
    }
  }
}

function linkNode(target: string, content: readonly Inline[], context: Context): Node {
  const inside = content.map((each) => inlineNode(each, context))
  if (/^(https?:\/\/|mailto:)/i.test(target)) return element('a', { href: target, rel: 'noopener noreferrer', target: '_blank' }, ...inside)
  const path = pathOf(target, context.place.info.path)
  if (path === undefined || !context.session.isReached(path)) return element('span', {}, ...inside)
  return element('a', { href: formatAddress({ ...context.address, path, panel: undefined, filter: '' }) }, ...inside)
}

function imageNode(source: string, text: string, { session, place }: Context): Node {
  const path = pathOf(source, place.info.path)
  if (path !== undefined && session.isReached(path)) return element('img', { src: session.fileUrl(place.volumeName, path, place.seq), alt: text, loading: 'lazy' })
  return element('span', { class: 'quiet' }, `[picture${text === '' ? '' : `: ${text}`}, not loaded from elsewhere]`)
}

/** The path that an address in the file at `from` means; undefined for what is not in the volume. */
export function pathOf(target: string, from: string): string | undefined {
  const [address = ''] = target.split(/[?#]/, 1)
  if (address === '' || /^[a-z][a-z0-9+.-]*:/i.test(address) || address.startsWith('//') || address.includes('\\')) return undefined
  const names = address.startsWith('/') ? [] : (parentPath(from) ?? rootPath).split('/').filter((name) => name !== '')
  const steps: string[] = []
  for (const part of address.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') steps.push(part)
    else if (steps.length > 0) steps.pop()
    else if (names.pop() === undefined) return undefined
  }
  try {
    const below = percentDecodePath(steps.map((step) => (/%(?![0-9a-f]{2})/i.test(step) ? step.replaceAll('%', '%25') : step)).join('/'))
    const path = `/${[...names, ...below.split('/').filter((name) => name !== '')].join('/')}`
    // Names of one spelling, as the volume has them.
    return isWithin(decodeName(encodeName(path)), rootPath) ? path : undefined
  } catch {
    return undefined
  }
}

/**
 * Elements of the page, made by the platform's own calls: text is text, whatever is in it, and never becomes markup. Everything that the console shows is made here.
 */
import { type IconName, iconPaths } from './icons.ts'

export type Child = Node | string | undefined | false
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** A function is listened with (`onclick`), `true` is an empty attribute; `false` and undefined are none. */
export function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  setAttributes(made, attributes)
  append(made, children)
  return made
}

export function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) if (child !== undefined && child !== false) parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child)
}

function setAttributes(made: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? '' : String(value))
  }
}

const svg = 'http://www.w3.org/2000/svg'

/** A picture that says nothing by itself: its neighbour or its button's label does. */
export function icon(name: IconName): SVGSVGElement {
  const picture = document.createElementNS(svg, 'svg')
  setAttributes(picture, { viewBox: '0 0 20 20', width: 20, height: 20, 'aria-hidden': 'true', focusable: 'false', class: `icon icon-${name}` })
  for (const data of iconPaths[name]) {
    const line = document.createElementNS(svg, 'path')
    line.setAttribute('d', data)
    picture.append(line)
  }
  return picture
}

export interface ButtonOptions {
  readonly icon?: IconName
  readonly label: string
  /** The label is heard and not seen. */
  readonly isIconOnly?: boolean
  readonly class?: string
  readonly attributes?: Attributes
  readonly onClick: () => void
}

export function button({ icon: name, label, isIconOnly = false, class: more = '', attributes = {}, onClick }: ButtonOptions): HTMLButtonElement {
  const text = isIconOnly ? undefined : element('span', {}, label)
  const heard = isIconOnly ? { 'aria-label': label, title: label } : {}
  return element('button', { type: 'button', class: `button ${isIconOnly ? 'button-icon' : ''} ${more}`, ...heard, ...attributes, onclick: onClick }, name && icon(name), text)
}

/** Takes everything out of an element and puts this in. */
export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren()
  append(parent, children)
}

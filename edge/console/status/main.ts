/**
 * The page of `edgemount status --web`: each mount with its charts and numbers, asked for once a second beside the page. It keeps the last minutes, as long as it is open.
 */
import { systemClock } from '../../../shared/clock.ts'
import { fieldOf } from '../../../shared/wire/messages.ts'
import { button, element, fill, icon } from '../element.ts'
import { formatBytes, formatTime, shownName } from '../format.ts'
import { Notices, toldOf } from '../notices.ts'
import { applyTheme, switchTheme } from '../preferences.ts'
import { drawChart, formatValue } from './chart.ts'
import { type Chart, type Sample, chartsOf, readSample, samplesMax, summaryOf } from './samples.ts'

const everyMs = 1000

interface Shown {
  readonly samples: Sample[]
  readonly section: HTMLElement
  readonly facts: HTMLElement
  readonly charts: HTMLElement
  readonly numbers: HTMLElement
}

const shown = new Map<string, Shown>()
/** Mounts come and go; no two have the same number. */
let added = 0
const notices = new Notices(systemClock)
const main = element('main', { id: 'main' })
const state = element('span', { class: 'state' })

function start(body: HTMLElement): void {
  applyTheme()
  const theme = button({ icon: 'theme', label: 'Switch between light and dark', isIconOnly: true, onClick: () => notices.say(`The page is ${switchTheme()} now.`) })
  const head = element('header', { class: 'head' }, element('div', { class: 'head-inner' }, element('span', { class: 'home' }, icon('volume'), element('span', {}, 'edgemount')), state, element('div', { class: 'head-buttons' }, theme)))
  fill(body, head, main, notices.element)
  fill(main, element('h1', {}, 'Mounts'), element('p', { class: 'quiet' }, 'What each mount did in the last five minutes, second by second.'))
  void ask()
}

/** As long as the page is open. */
async function ask(): Promise<void> {
  for (;;) {
    const startMs = systemClock.now()
    try {
      const response = await fetch('./status.json', { cache: 'no-store' })
      const answer: unknown = await response.json()
      const mounts = fieldOf(answer, 'mounts')
      tryToShow(Array.isArray(mounts) ? mounts : [], startMs)
    } catch {
      say('away', 'The command has ended: start edgemount status --web again')
    }
    await systemClock.sleep(Math.max(100, everyMs - (systemClock.now() - startMs)))
  }
}

/** What the page itself cannot is no reason to ask no more. */
function tryToShow(mounts: readonly unknown[], atMs: number): void {
  try {
    show(mounts, atMs)
    say('live', 'Live')
  } catch (error) {
    say('away', toldOf(error))
  }
}

function say(name: 'live' | 'away', text: string): void {
  state.className = `state state-${name}`
  if (state.textContent !== text) state.textContent = text
}

function show(mounts: readonly unknown[], atMs: number): void {
  const names = mounts.map((status) => textOf(status, 'directory') ?? 'A mount that does not answer')
  for (const [name, { section }] of shown) {
    if (names.includes(name)) continue
    section.remove()
    shown.delete(name)
  }
  main.querySelector('.empty')?.remove()
  if (mounts.length === 0) main.append(element('p', { class: 'empty' }, 'Nothing is mounted by this user. Mount a volume with edgemount mount, and it shows here.'))
  for (const [index, status] of mounts.entries()) {
    const name = names[index]!
    const view = shown.get(name) ?? add(name)
    view.samples.push(readSample(status, atMs))
    if (view.samples.length > samplesMax) view.samples.shift()
    draw(view, status)
  }
}

function add(name: string): Shown {
  const facts = element('p', { class: 'quiet' })
  const charts = element('div', { class: 'charts' })
  const numbers = element('div')
  added += 1
  const id = `mount-${added}`
  const section = element('section', { class: 'mount', 'aria-labelledby': id }, element('h2', { id }, shownName(name)), facts, charts, element('details', { class: 'numbers' }, element('summary', {}, 'Numbers'), numbers))
  const view = { samples: [], section, facts, charts, numbers }
  shown.set(name, view)
  main.append(section)
  return view
}

function draw({ samples, facts, charts, numbers }: Shown, status: unknown): void {
  const error = textOf(fieldOf(status, 'error'), 'message')
  facts.textContent = error ?? factsOf(status)
  const drawn = chartsOf(samples)
  fill(charts, ...drawn.map(drawChart))
  fill(numbers, tableOf(drawn))
}

function factsOf(status: unknown): string {
  const cache = fieldOf(fieldOf(status, 'fileSystem'), 'cache')
  const trouble = textOf(fieldOf(fieldOf(status, 'publishing'), 'lastError'), 'message') ?? textOf(fieldOf(status, 'publishing'), 'uploadError')
  const parts = [
    textOf(status, 'source'),
    `commit ${textOf(status, 'seq') ?? '?'}`,
    fieldOf(status, 'isConnected') === false ? 'the source cannot be reached' : undefined,
    fieldOf(status, 'isReadOnly') === true ? 'read-only' : undefined,
    cache === undefined ? undefined : `cache ${formatBytes(Number(textOf(cache, 'bytes') ?? 0))} of ${formatBytes(Number(textOf(cache, 'bytesMax') ?? 0))}`,
    trouble,
  ]
  return parts.filter((part) => part !== undefined).map(shownName).join(' · ')
}

function tableOf(charts: readonly Chart[]): HTMLElement {
  const head = ['', 'Now', 'Least', 'Mean', 'Most'].map((text) => (text === '' ? element('td', {}) : element('th', { scope: 'col', class: 'number' }, text)))
  const rows = charts.flatMap(({ title, unit, series }) =>
    series.map((each) => {
      const { last, least, mean, most } = summaryOf(each)
      const cells = [last, least, mean, most].map((value) => element('td', { class: 'number' }, formatValue(value, unit)))
      return element('tr', {}, element('th', { scope: 'row' }, series.length === 1 ? title : `${title}: ${each.name}`), ...cells)
    }),
  )
  return element('table', { class: 'data' }, element('caption', { class: 'hidden' }, `Numbers of the last five minutes, at ${formatTime(new Date(systemClock.now()))}`), element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows))
}

function textOf(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name)
  return typeof field === 'string' || typeof field === 'number' ? String(field) : undefined
}

start(document.body)

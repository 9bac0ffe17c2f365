/** Conditional requests: RFC 9110 section 13, and the order of 13.2.2. */
import { dateOf, modifiedSeconds } from './files.ts'
import { type HttpRow, type RowMore, at, failed, get, part, request, row, unmodified, unsatisfiable, whole } from './row.ts'

const name = 'letters.txt'
const tag = `{tag:${name}}`
const weak = `W/${tag}`
const same = dateOf(modifiedSeconds)
const before = dateOf(modifiedSeconds - 1)
const after = dateOf(modifiedSeconds + 1)
const far = dateOf(Date.UTC(2090, 0, 1) / 1000)
const asRfc850 = 'Wednesday, 15-Jan-25 10:00:00 GMT'
const asAsctime = 'Wed Jan 15 10:00:00 2025'
const alike: RowMore = { nginx: 'same' }
const differs = (reason: string): RowMore => ({ nginx: { differs: reason } })

const emptyIsAbsent = 'workerd does not show a header without a value to the Worker'

const listOfTags = differs('nginx takes a malformed list for a list; one that is none matches nothing here')
const ifMatch: readonly HttpRow[] = [
  get(name, [`if-match: ${tag}`], whole(name), alike),
  get(name, ['if-match: *'], whole(name), alike),
  get(name, [`if-match: "a", ${tag}`], whole(name), alike),
  get(name, [`if-match: "a",${tag},"b"`], whole(name), alike),
  get(name, [`if-match: "a,b", ${tag}`], whole(name), alike),
  get(name, [`if-match: , ,${tag},`], whole(name), alike),
  get(name, ['if-match: "a"', `if-match: ${tag}`], whole(name), differs('nginx takes the first of several lines; a list may be split into lines (section 5.3)')),
  get(name, ['if-match: "a"'], failed, alike),
  get(name, ['if-match: "a", "b"'], failed, alike),
  get(name, [`if-match: ${weak}`], failed, alike),
  get(name, [`if-match: "a", ${weak}`], failed, alike),
  get(name, ['if-match: a'], failed, alike),
  get(name, ['if-match:'], failed, { nginx: 'same', on: { workerd: { why: emptyIsAbsent, answers: [whole(name)] } } }),
  get(name, ['if-match: "*"'], failed, alike),
  get(name, [`if-match: *, ${tag}`], failed, listOfTags),
  get(name, [`if-match: ${tag} "a"`], failed, alike),
  get(name, [`if-match: "a" ${tag}`], failed, alike),
]

const ifNoneMatch: readonly HttpRow[] = [
  get(name, [`if-none-match: ${tag}`], unmodified(name), alike),
  get(name, [`if-none-match: ${weak}`], unmodified(name), alike),
  get(name, ['if-none-match: *'], unmodified(name), alike),
  get(name, [`if-none-match: "a", ${tag}`], unmodified(name), alike),
  get(name, [`if-none-match: "a", ${weak}, "b"`], unmodified(name), alike),
  get(name, [`if-none-match: "a",\t${tag}`], unmodified(name), alike),
  get(name, ['if-none-match: "a"', `if-none-match: ${tag}`], unmodified(name), differs('nginx takes the first of several lines; a list may be split into lines (section 5.3)')),
  get(name, ['if-none-match: "a"'], whole(name), alike),
  get(name, ['if-none-match: W/"a"'], whole(name), alike),
  get(name, ['if-none-match: a'], whole(name), alike),
  get(name, ['if-none-match: "*"'], whole(name), alike),
  get(name, ['if-none-match:'], whole(name), alike),
  get(name, [`if-none-match: w/${tag}`], whole(name), alike),
  get(name, [`if-none-match: ${tag}x`], whole(name), alike),
  get(name, [`if-none-match: ${tag} "b"`], whole(name), alike),
  get(name, ['if-none-match: "a'], whole(name), alike),
  get(name, [`if-none-match: ${Array.from({ length: 60 }, (_, index) => `"${index}"`).join()},${tag}`], unmodified(name), alike),
  get(name, [`if-none-match: ${tag}`, 'cache-control: no-cache'], unmodified(name), alike),
]

const ifModifiedSince: readonly HttpRow[] = [
  get(name, [`if-modified-since: ${same}`], unmodified(name), alike),
  get(name, [`if-modified-since: ${after}`], unmodified(name), alike),
  get(name, [`if-modified-since: ${far}`], unmodified(name), alike),
  get(name, [`if-modified-since: ${before}`], whole(name), alike),
  get(name, ['if-modified-since: Thu, 01 Jan 1970 00:00:00 GMT'], whole(name), alike),
  get(name, [`if-modified-since: ${asRfc850}`], unmodified(name), alike),
  get(name, [`if-modified-since: ${asAsctime}`], unmodified(name), alike),
  get(name, ['if-modified-since: Wed Jan  1 10:00:00 2025'], whole(name), alike),
  get(name, ['if-modified-since: Tuesday, 14-Jan-75 10:00:00 GMT'], unmodified(name), differs('nginx takes 75 for 1975; section 5.6.7 has it be 2075, which is not more than 50 years ahead')),
  get(name, ['if-modified-since: Tuesday, 14-Jan-80 10:00:00 GMT'], whole(name), alike),
  get(name, ['if-modified-since: Wed, 15 Jan 2025 10:00:60 GMT'], unmodified(name), differs('nginx knows no leap second; section 5.6.7 does')),
  ...[
    'yesterday',
    '',
    '0',
    '1736935200',
    '2025-01-15T10:00:00Z',
    'Wed, 15 Jan 2025 10:00:00',
    'Wed, 15 Jan 2025 10:00:00 UTC',
    'Wed, 15 Jan 2025 10:00:00 +0000',
    'Wed, 15 jan 2025 10:00:00 GMT',
    'Wed, 32 Jan 2025 10:00:00 GMT',
    'Wed, 15 Jan 2025 25:00:00 GMT',
    'Wed, 15 Jan 2025 10:61:00 GMT',
    'Sat, 30 Feb 2025 10:00:00 GMT',
    '15 Jan 2025 10:00:00 GMT',
    'Wed,15 Jan 2025 10:00:00 GMT',
    'Wed, 15 Jan 25 10:00:00 GMT',
  ].map((text) => get(name, [`if-modified-since: ${text}`], whole(name), laxOf(text))),
  get(name, [`if-modified-since: ${same}`, `if-modified-since: ${same}`], whole(name)),
]

/** What nginx takes for the date all the same. */
function laxOf(text: string): RowMore {
  const isLax = /^(Wed, 15 Jan 2025 10:00:00( UTC| \+0000)?|Wed,15 Jan.*)$/.test(text)
  return isLax ? differs('nginx reads dates that section 5.6.7 does not know') : alike
}

const ifUnmodifiedSince: readonly HttpRow[] = [
  get(name, [`if-unmodified-since: ${same}`], whole(name), alike),
  get(name, [`if-unmodified-since: ${after}`], whole(name), alike),
  get(name, [`if-unmodified-since: ${far}`], whole(name), alike),
  get(name, [`if-unmodified-since: ${before}`], failed, alike),
  get(name, ['if-unmodified-since: Thu, 01 Jan 1970 00:00:00 GMT'], failed, alike),
  get(name, [`if-unmodified-since: ${asRfc850}`], whole(name), alike),
  get(name, [`if-unmodified-since: ${asAsctime}`], whole(name), alike),
  get(name, ['if-unmodified-since: Tuesday, 14-Jan-25 10:00:00 GMT'], failed, alike),
  get(name, ['if-unmodified-since: Tue Jan 14 10:00:00 2025'], failed, alike),
  get(name, ['if-unmodified-since: yesterday'], whole(name), differs('nginx takes what is no date for one long ago; section 13.1.4 ignores it')),
  get(name, ['if-unmodified-since:'], whole(name), differs('nginx takes what is no date for one long ago; section 13.1.4 ignores it')),
]

const order: readonly HttpRow[] = [
  get(name, [`if-match: ${tag}`, `if-unmodified-since: ${before}`], whole(name), differs('nginx fails on the date, too; section 13.1.4 ignores it beside If-Match')),
  get(name, ['if-match: "a"', `if-unmodified-since: ${after}`], failed, alike),
  get(name, ['if-match: "a"', `if-none-match: ${tag}`], failed, alike),
  get(name, [`if-none-match: ${tag}`, 'if-match: "a"'], failed, alike),
  get(name, [`if-match: ${tag}`, `if-none-match: ${tag}`], unmodified(name), alike),
  get(name, [`if-match: ${tag}`, 'if-none-match: "a"'], whole(name), alike),
  get(name, ['if-none-match: "a"', `if-modified-since: ${same}`], whole(name), alike),
  get(name, ['if-none-match: "a"', `if-modified-since: ${far}`], whole(name), alike),
  get(name, [`if-none-match: ${tag}`, `if-modified-since: ${before}`], unmodified(name), differs('nginx looks at the date, too; section 13.1.3 ignores it beside If-None-Match')),
  get(name, [`if-unmodified-since: ${before}`, `if-none-match: ${tag}`], failed, alike),
  get(name, [`if-unmodified-since: ${after}`, `if-modified-since: ${same}`], unmodified(name), alike),
  get(name, [`if-unmodified-since: ${before}`, `if-modified-since: ${same}`], failed, alike),
  get(name, ['if-match: "a"', 'range: bytes=0-4'], failed, alike),
  get(name, ['if-match: "a"', 'range: bytes=99-'], failed, alike),
  get(name, [`if-none-match: ${tag}`, 'range: bytes=0-4'], unmodified(name), alike),
  get(name, [`if-none-match: ${tag}`, 'range: bytes=99-'], unmodified(name), alike),
  get(name, [`if-modified-since: ${same}`, 'range: bytes=0-4'], unmodified(name), alike),
  get(name, [`if-match: ${tag}`, 'range: bytes=0-4'], part(name, 0, 4), alike),
  get(name, ['if-none-match: "a"', 'range: bytes=99-'], unsatisfiable(name), alike),
  get(name, [`if-match: ${tag}`, 'range: bytes=0-4', 'if-range: "a"'], whole(name), alike),
  get(name, [`if-none-match: ${tag}`, 'range: bytes=0-4', 'if-range: "a"'], unmodified(name), alike),
  row('If-Match of what is not there', request(`GET ${at('nothing')}`, ['if-match: *']), { ...failed, status: 404, error: 'not-found' }, alike),
  row('If-None-Match of what is not there', request(`GET ${at('nothing')}`, ['if-none-match: *']), { ...failed, status: 404, error: 'not-found' }, alike),
]

const noDates = differs('nginx takes an equal date; whoever writes a file chooses its times, so no date is a strong validator here (section 8.8.2.2)')
const ranged = (ifRange: string, isCurrent: boolean, more: RowMore = alike): HttpRow =>
  get(name, ['range: bytes=0-4', `if-range: ${ifRange}`], isCurrent ? part(name, 0, 4) : whole(name), more)

const ifRange: readonly HttpRow[] = [
  ranged(tag, true),
  ranged('"a"', false),
  ranged(weak, false),
  ranged('W/"a"', false),
  ranged('', false, { nginx: 'same', on: { workerd: { why: emptyIsAbsent, answers: [part(name, 0, 4)] } } }),
  ranged('*', false),
  ranged('"*"', false),
  ranged(`"a", ${tag}`, false),
  ranged(`${tag}, "a"`, false),
  ranged(same, false, noDates),
  ranged(before, false),
  ranged(after, false),
  ranged(far, false),
  ranged(asRfc850, false, noDates),
  ranged(asAsctime, false, noDates),
  ranged('yesterday', false),
  get(name, ['range: bytes=0-4', `if-range: ${tag}`, `if-range: ${tag}`], whole(name)),
  get(name, [`if-range: ${tag}`], whole(name), alike),
  get(name, ['if-range: "a"'], whole(name), alike),
  get(name, ['range: bytes=99-', `if-range: ${tag}`], unsatisfiable(name), alike),
  get(name, ['range: bytes=99-', 'if-range: "a"'], whole(name), alike),
  get(name, ['range: bytes=x', `if-range: ${tag}`], whole(name), differs('nginx answers 416 to a Range that it cannot read')),
  get(name, ['range: bytes=0-4', `if-range: ${tag}`, `if-modified-since: ${before}`], part(name, 0, 4), alike),
]

/** Of what is no file the version is what `stat` tells. */
const ifMatchElsewhere: readonly HttpRow[] = [
  ...[`DELETE ${at('dir')}?recursive=1`, 'POST /v1/demo/rename/dir?to=/moved', 'POST /v1/demo/restore/dir?seq=2', 'POST /v1/demo/rename/letters.txt?to=/moved', 'POST /v1/demo/restore/letters.txt?seq=2'].flatMap((line) =>
    ['if-match: "a"', 'if-match: a', `if-match: "${'0'.repeat(64)}"`].map((condition) => row(`${line}, ${condition}`, request(line, [condition, 'content-length: 0']), failed)),
  ),
  row('the version of a directory', request('GET /v1/demo/stat/dir'), { status: 200, body: /"kind":"directory".*"version":"[0-9a-f]{64}"/ }),
]

export const conditionTables: readonly (readonly [string, readonly HttpRow[]])[] = [
  ['If-Match', ifMatch],
  ['If-Match of names that move, go and come back', ifMatchElsewhere],
  ['If-None-Match', ifNoneMatch],
  ['If-Modified-Since', ifModifiedSince],
  ['If-Unmodified-Since', ifUnmodifiedSince],
  ['the order of preconditions', order],
  ['If-Range', ifRange],
]

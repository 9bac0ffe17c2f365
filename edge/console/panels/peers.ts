/** Who reads the volume and may be asked for chunks by others, as they say of themselves; looked at again every few seconds. */
import { systemClock } from '../../../shared/clock.ts'
import { rootPath } from '../../../shared/path.ts'
import type { PeerMessage } from '../../../shared/wire/messages.ts'
import { element, fill } from '../element.ts'
import { formatBytes, formatCount, shownName } from '../format.ts'
import { readPeers } from '../history-api.ts'
import type { Context, Panel } from '../panel.ts'
import { formatSeconds } from '../uploads/rate.ts'

const againMs = 10_000

export const peersPanel: Panel = {
  id: 'peers',
  title: 'Peers',
  icon: 'peers',
  // They are about the whole volume, and nobody's who has no token.
  isFor: ({ path }, session) => path === rootPath && session.prefix === rootPath && session.may('read') && session.refusal === undefined,
  show: async (host, context) => {
    const table = element('div')
    host.append(element('p', { class: 'quiet' }, 'Who has chunks of this volume and gives them to others near, as they say of themselves. Each says again every few minutes that it is there.'), table)
    draw(table, (await readPeers(context.session, context.place.volumeName, context.signal)).items)
    void keepUp(table, context)
  },
}

/** Ends with the view. */
async function keepUp(table: HTMLElement, { session, place, signal }: Context): Promise<void> {
  while (!signal.aborted) {
    try {
      await systemClock.sleep(againMs, signal)
      draw(table, (await readPeers(session, place.volumeName, signal)).items)
    } catch {
      // What was seen last stands until the edge answers again.
    }
  }
}

function draw(host: HTMLElement, peers: readonly PeerMessage[]): void {
  if (peers.length === 0) return fill(host, element('p', { class: 'empty' }, 'Nobody is listed now. Programs that have chunks of this volume list themselves at its address …/peers/<id>.'))
  const head = ['Peer', 'Addresses', 'Zone', 'Cache', 'Version', 'Listed for'].map((text) => element('th', { scope: 'col' }, text))
  const rows = peers.map(({ id, urls, zone, cacheBytes, version, leftMs }) => {
    const cells = [urls.join(' '), zone === '' ? '–' : zone, formatBytes(cacheBytes), version, `${formatSeconds(Math.max(0, Math.round(leftMs / 1000)))} more`]
    return element('tr', {}, element('th', { scope: 'row' }, shownName(id)), ...cells.map((text) => element('td', {}, shownName(text))))
  })
  const table = element('table', { class: 'data' }, element('caption', { class: 'hidden' }, formatCount(peers.length, 'peer', 'peers')), element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows))
  fill(host, element('div', { class: 'data-scroll', tabindex: 0, role: 'region', 'aria-label': 'Those that are listed' }, table))
}

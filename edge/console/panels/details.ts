/** Everything about one name, as the volume has it. */
import { contentTypeOf } from '../../../shared/content-type.ts'
import { element } from '../element.ts'
import { formatBytes, formatMode, formatTime, kindNames, shownName } from '../format.ts'
import type { Panel } from '../panel.ts'

export const detailsPanel: Panel = {
  id: 'details',
  title: 'Details',
  icon: 'info',
  isFor: () => true,
  show: (host, { place, session }) => {
    const { info, volume, volumeName, seq } = place
    const isFile = info.kind === 'file'
    const address = isFile ? session.fileUrl(volumeName, info.path, seq).replace(/\/t\/[^/]+/, '') : undefined
    const rows: readonly (readonly [string, string | undefined])[] = [
      ['Volume', volumeName],
      ['Path', shownName(info.path)],
      ['Kind', kindNames[info.kind]],
      ['Size', isFile ? `${formatBytes(info.size)} (${info.size.toLocaleString('en')} bytes)` : undefined],
      ['Type', isFile ? contentTypeOf(info.name) : undefined],
      ['Modified', formatTime(info.mtime)],
      ['Permissions', `${formatMode(info.mode)} (${info.mode.toString(8).padStart(4, '0')})`],
      ['Content', isFile ? info.version : undefined],
      ['Commit', `${volume.seq}${seq === undefined ? ', the newest' : ''}`],
      ['Address', address],
    ]
    const list = element('dl', { class: 'details' })
    for (const [name, value] of rows) if (value !== undefined) list.append(element('dt', {}, name), element('dd', {}, value))
    host.append(list)
  },
}

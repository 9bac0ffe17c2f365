/** What is in a directory: the first panel of every directory. */
import { FolderView } from '../folder-view.ts'
import type { Panel } from '../panel.ts'

export const filesPanel: Panel = {
  id: 'files',
  title: 'Files',
  icon: 'folder',
  isFor: ({ info }, session) => info.kind === 'directory' && session.may('list'),
  show: (host, context) => FolderView.show(host, context),
}

/**
 * The panels, in the order of their tabs. A new one is a module in `panels/` and a line here.
 */
import type { Panel } from './panel.ts'
import { detailsPanel } from './panels/details.ts'
import { filesPanel } from './panels/files.ts'
import { historyPanel } from './panels/history.ts'
import { peersPanel } from './panels/peers.ts'
import { previewPanel } from './panels/preview.ts'
import { sharePanel } from './panels/share.ts'
import { uploadPanel } from './panels/upload.ts'

export const panels: readonly Panel[] = [filesPanel, previewPanel, uploadPanel, historyPanel, sharePanel, peersPanel, detailsPanel]

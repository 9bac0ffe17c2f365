/**
 * What a panel is: one way to look at a place, or to do something there, in one module. `panels.ts` lists them; each becomes a tab with an address of its own
 * (`?panel=<id>`), and the first that is for a place is what it shows unless the address says otherwise.
 */
import type { BrowserVolume, Change, FileInfo } from '../browser/volume.ts'
import type { Address } from './address.ts'
import type { IconName } from './icons.ts'
import type { Itself } from './itself.ts'
import type { Notices } from './notices.ts'
import type { Session } from './session.ts'

export interface Place {
  readonly volumeName: string
  /** Of one commit when `seq` says so; else it moves on with every commit. */
  readonly volume: BrowserVolume
  /** The commit that is looked at for good; undefined for what is there now, which alone can be changed. */
  readonly seq: number | undefined
  /** As the address has it. */
  readonly path: string
  /** What stands there, symlinks followed: `info.path` is where they led. */
  readonly info: FileInfo
  /** What has the name `path`, a symlink itself. */
  readonly itself: Itself
}

export interface Context {
  readonly session: Session
  readonly place: Place
  readonly address: Address
  readonly notices: Notices
  /** Fires when something else is shown: whatever a panel began ends then. */
  readonly signal: AbortSignal
  /** Goes to another address; what is left out stays. */
  readonly go: (change: Partial<Address>, options?: { readonly isFolder?: boolean }) => void
  /** Goes to another address that the caller shows itself. What it gives goes back, as the browser does; either way `onBack` shows what was there. */
  readonly enter: (change: Partial<Address>, onBack: () => void) => () => void
  /** The same as `go` without an entry in the history and without showing anything anew. */
  readonly keep: (change: Partial<Address>) => void
  /** After something was changed here: moves on to the newest commit at once, and tells all that listen. */
  readonly changed: () => Promise<void>
  /** Calls with every commit, until the signal fires. */
  readonly onChange: (listener: (change: Change | undefined) => void) => void
}

export interface Panel {
  /** In the address. */
  readonly id: string
  readonly title: string
  readonly icon: IconName
  readonly isFor: (place: Place, session: Session) => boolean
  /** Fills its host. What it throws is shown in its place. */
  readonly show: (host: HTMLElement, context: Context) => void | Promise<void>
  /** Called with every view of a place that it is for, whichever panel is open: to take what is dropped there, for example. */
  readonly attach?: (view: HTMLElement, context: Context) => void
}

/**
 * The page around everything: its head, the way from an address to what is shown, where the focus goes, and what keeps the volume up to date. Made once, by `main.ts`.
 *
 * INVARIANT: what is shown depends on the address, the volume and the token alone; whatever was begun for one address ends when another is shown.
 */
import type { BrowserVolume, Change } from '../browser/volume.ts'
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { parentPath, rootPath } from '../../shared/path.ts'
import { type Address, formatAddress, parseAddress, volumesAddress } from './address.ts'
import { untilBack } from './come-back.ts'
import { button, element, fill, icon } from './element.ts'
import { type Elsewhere, errorView, sayWaiting } from './error-view.ts'
import { keepFocus } from './focus-keeper.ts'
import { type FollowState, follow } from './follower.ts'
import { shownName } from './format.ts'
import { type Itself, itselfAt } from './itself.ts'
import { Notices } from './notices.ts'
import type { Context, Place } from './panel.ts'
import { showPlace } from './place-view.ts'
import { switchTheme } from './preferences.ts'
import type { Session } from './session.ts'
import { listenForShortcuts, showShortcuts } from './shortcuts.ts'
import { showVolumes } from './volumes-view.ts'

/** Sooner a page that says that it loads would only flicker. */
const patienceMs = 250

const stateTexts: Readonly<Record<FollowState, string>> = { live: 'Live', asking: 'Not live', away: 'Offline' }
const stateTitles: Readonly<Record<FollowState, string>> = {
  live: 'What others change shows at once',
  asking: 'What others change shows within half a minute',
  away: 'The edge is away: only what is kept here can be read',
}

export class Shell {
  readonly #session: Session
  readonly #clock: Clock
  readonly #notices: Notices
  readonly #main = element('main', { id: 'main', tabindex: -1 })
  readonly #state = element('span', { class: 'state', hidden: true })
  #address: Address = volumesAddress
  #showing = new AbortController()
  /** The volume that is followed, and what ends that. */
  #followed: { readonly volume: BrowserVolume; readonly stop: AbortController } | undefined
  /** The volume of the address could be opened. */
  #hasVolume = false
  /** How often in a row the edge was away. */
  #awayCount = 0
  /** What shows itself again when the browser goes back to its fragment. */
  #entered: { readonly from: string; readonly back: () => void } | undefined
  #listeners: ((change: Change | undefined) => void)[] = []

  constructor(session: Session, clock: Clock) {
    this.#session = session
    this.#clock = clock
    this.#notices = new Notices(clock)
  }

  start(body: HTMLElement): void {
    const skip = element('a', { class: 'skip', href: '#main', onclick: (event) => this.#skip(event) }, 'To the content')
    const home = element('a', { class: 'home', href: '#/' }, icon('volume'), element('span', {}, 'edgemount'))
    const theme = button({ icon: 'theme', label: 'Switch between light and dark', isIconOnly: true, onClick: () => this.#switchTheme() })
    const help = button({ icon: 'help', label: 'Keyboard shortcuts', isIconOnly: true, onClick: showShortcuts })
    const head = element('header', { class: 'head' }, element('div', { class: 'head-inner' }, home, this.#state, element('div', { class: 'head-buttons' }, theme, help)))
    fill(body, skip, head, this.#main, this.#notices.element)
    addEventListener('hashchange', () => this.#onAddress())
    keepFocus()
    listenForShortcuts({ up: () => this.#up(), theme: () => this.#switchTheme() })
    void this.#show()
  }

  #onAddress(): void {
    const entered = this.#entered
    this.#entered = undefined
    if (entered?.from === location.hash) entered.back()
    else void this.#show()
  }

  /** Shows what the address says. Never rejects. */
  async #show(): Promise<void> {
    this.#showing.abort()
    this.#entered = undefined
    const showing = new AbortController()
    this.#showing = showing
    const { signal } = showing
    this.#listeners = []
    const host = element('div', { class: 'view' })
    const isFirst = this.#main.childElementCount === 0
    const late = this.#sayLoading(signal)
    this.#hasVolume = false
    try {
      this.#address = volumesAddress
      this.#address = this.#start(parseAddress(location.hash))
      if (this.#address.volume === undefined) await this.#showVolumes(host, signal)
      else await this.#showPlace(host, this.#address.volume, signal)
      this.#awayCount = 0
    } catch (error) {
      if (signal.aborted) return
      const view = errorView(error, { session: this.#session, onRetry: () => void this.#show(), elsewhere: this.#elsewhere(error), nowMs: this.#clock.now() })
      fill(host, view)
      document.title = 'Error · edgemount'
      if (codeOf(error) === 'unavailable' || codeOf(error) === 'exhausted') void this.#comeBack(view, signal)
    }
    if (signal.aborted) return
    late.abort()
    if (host.parentElement === null) fill(this.#main, host)
    this.#main.removeAttribute('aria-busy')
    this.#notices.say(document.title)
    // The first page is read from its beginning, as any page is.
    if (!isFirst) host.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
  }

  /** Shows the place once the edge is back, as long as nothing else is asked for. Never rejects. */
  async #comeBack(view: HTMLElement, signal: AbortSignal): Promise<void> {
    this.#awayCount += 1
    const wait = { session: this.#session, clock: this.#clock, signal, tries: this.#awayCount, onSecond: (left: number) => sayWaiting(view, left) }
    addEventListener('online', () => void this.#show(), { signal })
    try {
      await untilBack(wait)
    } catch {
      return
    }
    await this.#show()
  }

  /** Where to go from what cannot be shown. */
  #elsewhere(error: unknown): readonly Elsewhere[] {
    const { onlyVolume, prefix } = this.#session
    const { volume, seq, path } = this.#address
    const places: Elsewhere[] = []
    const add = (title: string, change: Partial<Address>): void => void places.push({ title, href: formatAddress({ ...this.#address, panel: undefined, filter: '', ...change }, true) })
    const parent = path === prefix ? undefined : parentPath(path)
    if (this.#hasVolume && seq !== undefined && codeOf(error) === 'not-found') add('To what is there now', { seq: undefined })
    if (this.#hasVolume && parent !== undefined) add('To the folder above', { path: parent })
    const isStart = volume === undefined ? /^#?\/?$/.test(location.hash) : volume === onlyVolume && path === prefix && seq === undefined
    if (!isStart) add(onlyVolume === undefined && this.#session.refusal === undefined ? 'To the volumes' : 'To the start', { volume: undefined })
    return places
  }

  /** Who may see one volume, or a part of it, begins there. */
  #start(address: Address): Address {
    const { onlyVolume, prefix } = this.#session
    if (address.volume === undefined && onlyVolume !== undefined) return { ...address, volume: onlyVolume, path: prefix }
    return address.volume !== undefined && address.path === rootPath && prefix !== rootPath ? { ...address, path: prefix } : address
  }

  async #showVolumes(host: HTMLElement, signal: AbortSignal): Promise<void> {
    document.title = 'Volumes · edgemount'
    this.#follow(undefined)
    await showVolumes(host, this.#session, this.#notices, signal)
  }

  async #showPlace(host: HTMLElement, volumeName: string, signal: AbortSignal): Promise<void> {
    const { seq, path } = this.#address
    const live = await this.#session.volume(volumeName)
    this.#hasVolume = true
    const volume = seq === undefined ? live : await live.at(seq, { signal })
    if (seq === undefined && this.#followed?.volume !== live) await live.refresh({ signal }).catch(() => undefined)
    const info = await volume.stat(path, { signal })
    const itself = await this.#itselfAt({ volumeName, volume, seq, path, info }, signal)
    if (signal.aborted) return
    this.#follow(seq === undefined ? live : undefined)
    const place: Place = { volumeName, volume, seq, path, info, itself }
    document.title = `${shownName(path === rootPath ? volumeName : info.name)} · ${volumeName} · edgemount`
    // Rows are measured where they stand.
    fill(this.#main, host)
    scrollTo({ top: 0, behavior: 'instant' })
    const context = this.#contextOf(place, signal)
    if (info.kind !== 'directory') context.onChange(() => void this.#lookAgain(place, signal))
    await showPlace(host, context)
  }

  /** Only what may be changed, and stands behind a symlink, has to be looked for. */
  async #itselfAt({ volumeName, volume, seq, path, info }: Omit<Place, 'itself'>, signal: AbortSignal): Promise<Itself> {
    if (info.path === path || seq !== undefined || !this.#session.may('write')) return info
    return (await itselfAt({ session: this.#session, volumeName, volume, signal }, path)) ?? info
  }

  #contextOf(place: Place, signal: AbortSignal): Context {
    const isFolder = place.info.kind === 'directory'
    return {
      session: this.#session,
      place,
      address: this.#address,
      notices: this.#notices,
      signal,
      go: (change, options = {}) => {
        const next = formatAddress({ ...this.#address, comparison: undefined, ...change }, options.isFolder ?? isFolder)
        if (next === location.hash) void this.#show()
        else location.hash = next
      },
      enter: (change, onBack) => this.#enter(change, onBack, isFolder),
      keep: (change) => {
        this.#address = { ...this.#address, ...change }
        try {
          history.replaceState(history.state, '', formatAddress(this.#address, isFolder))
        } catch {
          // Safari takes a hundred in half a minute. The next one has it all.
        }
      },
      changed: async () => {
        await place.volume.refresh()
        this.#tell(undefined)
      },
      onChange: (listener) => this.#listeners.push(listener),
    }
  }

  #enter(change: Partial<Address>, onBack: () => void, isFolder: boolean): () => void {
    const [before, from] = [this.#address, location.hash]
    this.#address = { ...before, ...change }
    const back = (): void => {
      this.#address = before
      onBack()
    }
    try {
      history.pushState(null, '', formatAddress(this.#address, isFolder))
    } catch {
      // As above.
      return back
    }
    this.#entered = { from, back }
    return () => history.back()
  }

  /** A file that others changed is shown anew, and one that is gone is told. */
  async #lookAgain({ volume, path, info }: Place, signal: AbortSignal): Promise<void> {
    try {
      const now = await volume.stat(path, { signal })
      if (now.version === info.version || signal.aborted) return
      this.#notices.tell(`“${shownName(info.name)}” was changed; this is the new version.`)
      await this.#show()
    } catch (error) {
      if (!signal.aborted && codeOf(error) === 'not-found') await this.#show()
    }
  }

  #follow(volume: BrowserVolume | undefined): void {
    if (this.#followed?.volume === volume) return
    this.#followed?.stop.abort()
    this.#followed = undefined
    this.#state.hidden = true
    if (volume === undefined) return
    const stop = new AbortController()
    this.#followed = { volume, stop }
    const onState = (state: FollowState): void => {
      if (stop.signal.aborted) return
      this.#state.hidden = false
      this.#state.className = `state state-${state}`
      this.#state.title = stateTitles[state]
      this.#state.textContent = stateTexts[state]
    }
    void follow({ volume, clock: this.#clock, signal: stop.signal, onChange: (change) => this.#tell(change), onState })
  }

  #tell(change: Change | undefined): void {
    for (const listener of this.#listeners) listener(change)
  }

  /** Aborting what it gives takes the word back. */
  #sayLoading(signal: AbortSignal): AbortController {
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    const say = async (): Promise<void> => {
      await this.#clock.sleep(patienceMs, either)
      this.#main.setAttribute('aria-busy', 'true')
      this.#notices.say('Loading…')
    }
    say().catch(() => undefined)
    return over
  }

  #up(): void {
    const { volume, path } = this.#address
    if (volume === undefined) return
    const parent = path === this.#session.prefix ? undefined : parentPath(path)
    if (parent !== undefined) location.hash = formatAddress({ ...this.#address, path: parent, panel: undefined, filter: '' }, true)
    else if (this.#session.onlyVolume === undefined) location.hash = '#/'
  }

  #switchTheme(): void {
    this.#notices.say(`The page is ${switchTheme()} now.`)
  }

  /** The fragment is an address here, and no place in the page. */
  #skip(event: Event): void {
    event.preventDefault()
    this.#main.focus()
  }
}

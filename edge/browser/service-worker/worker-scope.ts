/** The part of a service worker's global scope that is used here: the types that TypeScript has for pages leave it out. */

export interface LastingEvent {
  /** The browser lets the worker live until this is done, for some minutes. */
  waitUntil(work: Promise<unknown>): void
}

export interface FetchEvent extends LastingEvent {
  readonly request: Request
  respondWith(answer: Promise<Response>): void
}

export interface MessageFromPage extends LastingEvent {
  readonly data: unknown
  readonly ports: readonly MessagePort[]
}

export interface WorkerScope {
  readonly location: Location
  readonly registration: { addEventListener(type: 'updatefound', listener: () => void): void }
  readonly clients: {
    claim(): Promise<void>
    matchAll(options: { readonly includeUncontrolled: true }): Promise<readonly { postMessage(message: unknown): void }[]>
  }
  skipWaiting(): Promise<void>
  addEventListener(type: 'install' | 'activate', listener: (event: LastingEvent) => void): void
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void
  addEventListener(type: 'message', listener: (event: MessageFromPage) => void): void
}

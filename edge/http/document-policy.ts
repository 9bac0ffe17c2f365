/**
 * What a file of a volume may do when a browser opens it as a page: HTML, SVG and XML can bring scripts, and they are of the edge's origin, where the console is and where
 * addresses may hold a token. Pure functions; `routes/files.ts` puts their answers on every file.
 *
 * INVARIANT: a script of a volume never runs in an address that a token opened, and never with the edge's origin where that is worth anything; no document of a volume is
 * shown at an address that holds a token.
 */
import { isScriptable } from '../../shared/content-type.ts'
import type { Right } from '../../shared/wire/token.ts'

/** Scripts run, of an origin of their own: they read public files as any page does (CORS), write nothing, and see nothing that this origin keeps. */
const apart = 'sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads'
/** No scripts, since they could read what is in the address; pictures, styles and sounds from the same place, nothing from elsewhere, where it would tell that it is read. */
const still = [
  'sandbox allow-downloads',
  "default-src 'none'",
  "img-src 'self' data:",
  "media-src 'self' data:",
  "font-src 'self' data:",
  "style-src 'self' 'unsafe-inline'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface Opened {
  /** What the caller may. */
  readonly rights: readonly Right[]
  /** A token let it in, or stands in the address though none was needed. */
  readonly hasToken: boolean
  readonly hasConsole: boolean
}

/**
 * The `Content-Security-Policy` for a file of this type, or undefined where it needs none: what is no page, and the pages of a public volume on an edge without a console,
 * which have the whole origin for themselves.
 */
export function documentPolicy(contentType: string, { rights, hasToken, hasConsole }: Opened): string | undefined {
  if (!isScriptable(contentType)) return undefined
  if (hasToken) return still
  return hasConsole || rights.some((right) => right !== 'read' && right !== 'list') ? apart : undefined
}

/**
 * Whether a browser saves a file of this type instead of showing it, because its address holds a token: a document chooses its own referrer policy over that of the answer,
 * and where it leads to would learn the address. `<img>`, and what scripts fetch, is not affected.
 */
export function isSavedOnly(contentType: string, hasTokenInAddress: boolean): boolean {
  return hasTokenInAddress && isScriptable(contentType)
}

/**
 * What a file of a volume may do when a browser opens it as a page: HTML, SVG and XML can bring scripts, and they are of the edge's origin, where the console is and where
 * addresses may hold a token. A pure function; `routes/files.ts` puts its answer on every file.
 *
 * INVARIANT: a script of a volume never runs in an address that a token opened, and never with the edge's origin where that is worth anything.
 */
import { isScriptable } from '../../shared/content-type.ts'
import type { Right } from '../../shared/wire/token.ts'

/** Scripts run, of an origin of their own: they read public files as any page does (CORS), write nothing, and see nothing that this origin keeps. */
const apart = 'sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads'
/** No scripts: what is in the address they could read. */
const still = 'sandbox allow-popups allow-popups-to-escape-sandbox allow-downloads'

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

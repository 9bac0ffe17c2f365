/**
 * The console as it was built: one page and the files that it loads, the same text on every runtime. Entries take it from here and give it to `createApp`; an edge
 * that was not built has none, and shows the plain list of its addresses instead.
 */

export interface ConsoleFile {
  readonly type: string
  readonly text: string
}

export interface ConsoleFiles {
  /** What is at `/`. All its addresses are relative, so that it works below `/t/{token}/` and behind a proxy's prefix. */
  readonly page: string
  /** By name, which changes with what is in it: `/console/{name}` never means other bytes. */
  readonly files: Readonly<Record<string, ConsoleFile>>
}

/** Scripts, styles and requests are the edge's own, markup is never made from text, and no other page may show this one in a frame. */
export const consolePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "frame-src 'self' blob:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** undefined where `npm run build` has not run. */
export async function builtConsole(): Promise<ConsoleFiles | undefined> {
  const built = await import('#console').catch(() => undefined)
  return built?.page === undefined ? undefined : { page: built.page, files: built.files }
}

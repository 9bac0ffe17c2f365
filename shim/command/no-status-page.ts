/**
 * What the compiler takes for `dist/status-page.js`, which `edge/bundle.ts` writes: the same names, and nothing in them. Never loaded: `#status-page` is the built file.
 */

export const page: string | undefined = undefined
export const files: Readonly<Record<string, { readonly type: string; readonly text: string }>> = {}

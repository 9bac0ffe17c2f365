/**
 * What the compiler takes for `dist/console.js`, which `bundle.ts` writes: the same names, and nothing in them. Never loaded: `#console` is the built file.
 */
import type { ConsoleFiles } from './console-files.ts'

export const page: ConsoleFiles['page'] | undefined = undefined
export const files: ConsoleFiles['files'] = {}

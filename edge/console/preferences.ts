/**
 * What somebody chose for this browser: light or dark, and whether single keys do something. Kept in its local storage; nothing else is, but the ids of uploads
 * that have not ended (`uploads/unfinished.ts`).
 */

export type Theme = 'light' | 'dark'

const themeKey = 'edgemount-theme'
const shortcutsKey = 'edgemount-shortcuts'

/** The one that was chosen, else the system's. */
export function currentTheme(): Theme {
  const chosen = read(themeKey)
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}

export function applyTheme(): void {
  const chosen = read(themeKey)
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen
}

export function switchTheme(): Theme {
  const next = currentTheme() === 'dark' ? 'light' : 'dark'
  write(themeKey, next)
  applyTheme()
  return next
}

export function hasShortcuts(): boolean {
  return read(shortcutsKey) !== 'off'
}

export function setShortcuts(isOn: boolean): void {
  write(shortcutsKey, isOn ? 'on' : 'off')
}

/** A browser may forbid it; then nothing is remembered. */
function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Chosen for this page alone.
  }
}

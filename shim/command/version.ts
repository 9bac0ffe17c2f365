/** Which edgemount this is. */
import { readFileSync } from 'node:fs'
import { fieldOf } from '../../shared/wire/messages.ts'

export function versionText(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return String(fieldOf(JSON.parse(text), 'version'))
}

/**
 * Secrets and rates as an environment has them: what the entries of Deno and Workers read. On Node the command's settings say the rates.
 */
import { EdgemountError } from '../../shared/error.ts'
import { type SecretTexts, parseKeyRing } from '../../shared/wire/key-ring.ts'
import type { AccessSettings } from './guard.ts'

export interface AccessTexts extends SecretTexts {
  readonly EDGEMOUNT_TOKEN_RATE?: string | undefined
  readonly EDGEMOUNT_ANONYMOUS_RATE?: string | undefined
}

/** Undefined without a secret. Throws `invalid` for what cannot be read. */
export function accessOfEnvironment(texts: AccessTexts): AccessSettings | undefined {
  const keys = parseKeyRing(texts)
  if (keys === undefined) return undefined
  return { keys, tokenRate: readRate('EDGEMOUNT_TOKEN_RATE', texts), anonymousRate: readRate('EDGEMOUNT_ANONYMOUS_RATE', texts) }
}

function readRate(name: 'EDGEMOUNT_TOKEN_RATE' | 'EDGEMOUNT_ANONYMOUS_RATE', texts: AccessTexts): number | undefined {
  const text = texts[name] ?? ''
  if (/^\d{0,9}$/.test(text)) return text === '' ? undefined : Number(text)
  throw new EdgemountError('invalid', `Cannot use ${name} "${text}": it must be a whole number of requests a second, or 0 for no limit`)
}

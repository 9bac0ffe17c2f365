/**
 * What most commands do around their own work: open the volume a parameter names, work, close it in any case.
 */
import type { ChunkingParameters } from '../../shared/chunker.ts'
import type { Call } from './command.ts'
import { openVolume, type OpenSettings, type OpenVolume } from './open.ts'

type Caller = Pick<Call<never>, 'settings' | 'terminal'> & { readonly settings: { readonly author?: string | undefined } }

export function openSettings({ settings, terminal }: Caller): OpenSettings {
  return { timeout: settings.timeout, token: settings.token, author: settings.author, signal: terminal.signal }
}

export async function withVolume<T>(
  text: string,
  caller: Caller,
  work: (opened: OpenVolume) => Promise<T>,
  create?: { readonly chunking?: ChunkingParameters },
): Promise<T> {
  const opened = await openVolume(text, openSettings(caller), create)
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}

/** `--chunking`: `content`, or `fixed:256KiB`. */
import { type ChunkingParameters, defaultChunking, whyInvalid } from '../../shared/chunker.ts'
import { parseBytes } from './quantity.ts'
import { UsageError } from './arguments.ts'

export function parseChunking(text: string): ChunkingParameters {
  if (text === 'content') return defaultChunking
  const match = /^fixed:(.+)$/.exec(text)
  if (match === null) throw new UsageError(`Cannot cut files by "${text}": it is neither "content" nor "fixed:<bytes>", such as fixed:256KiB`)
  const parameters: ChunkingParameters = { kind: 'fixed', bytes: parseBytes(match[1] ?? '') }
  const why = whyInvalid(parameters)
  if (why !== undefined) throw new UsageError(`Cannot cut files by "${text}": ${why}`)
  return parameters
}

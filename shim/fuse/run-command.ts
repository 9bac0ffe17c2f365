/**
 * Runs a small program of the system (fusermount3, stat) with a deadline.
 */
import { spawn } from 'node:child_process'
import type { Clock } from '../../shared/clock.ts'
import { deadline } from '../../shared/lifetime.ts'

export interface CommandResult {
  /** undefined: the program is missing, was killed, or did not end in time. */
  readonly code: number | undefined
  readonly isMissing: boolean
  readonly isLate: boolean
  /** What it said on standard error, in English. */
  readonly complaint: string
}

export interface CommandOptions {
  readonly clock: Clock
  readonly deadlineMs: number
  /** A descriptor that becomes number 3 of the child. */
  readonly extraFd?: number
  readonly environment?: Readonly<Record<string, string>>
}

const complaintBytesMax = 4096

/** Never rejects. The child that is late is killed, and not waited for: it may be stuck in the kernel. */
export function runCommand(program: string, parameters: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, {
      stdio: ['ignore', 'ignore', 'pipe', options.extraFd ?? 'ignore'],
      env: { ...process.env, ...options.environment, LC_ALL: 'C' },
      cwd: '/',
    })
    let complaint = ''
    const finish = (end: Partial<CommandResult>): void => {
      limit.dispose()
      resolve({ code: undefined, isMissing: false, isLate: false, complaint: complaint.trim(), ...end })
    }
    const limit = deadline(options.clock, options.deadlineMs, `run ${program}`)
    limit.signal.addEventListener('abort', () => {
      child.kill('SIGKILL')
      child.unref()
      child.stderr?.destroy()
      finish({ isLate: true })
    })
    child.stderr?.on('data', (data: Uint8Array) => {
      if (complaint.length < complaintBytesMax) complaint += new TextDecoder().decode(data)
    })
    child.on('error', (error) => finish({ isMissing: 'code' in error && error.code === 'ENOENT', complaint: error.message }))
    child.on('close', (code) => finish(code === null ? {} : { code }))
  })
}

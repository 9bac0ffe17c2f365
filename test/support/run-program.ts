/**
 * Runs programs of the system against a mount: with a deadline, output byte for byte (Latin-1), in English.
 */
import { execFile } from 'node:child_process'

export interface Output {
  readonly code: number
  readonly out: string
  readonly complaint: string
}

export function run(program: string, ...parameters: string[]): Promise<Output> {
  return new Promise((resolve) => {
    const options = { encoding: 'latin1', timeout: 60_000, maxBuffer: 1 << 24, cwd: '/', env: { ...process.env, LC_ALL: 'C' } } as const
    execFile(program, parameters, options, (error, out, complaint) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, complaint })
    })
  })
}

export function python(script: string, ...parameters: string[]): Promise<Output> {
  return run('python3', '-c', script, ...parameters)
}

/** Asks every 25 ms, for five seconds. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('It did not become true')
}

/** Azurite, Microsoft's emulator of Blob Storage, as a process of its own on a free port, with everything in memory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'

/** The account that every emulator has, and its key, which is no secret: it stands in Microsoft's documentation. */
export const azuriteAccount = 'devstoreaccount1'
export const azuriteKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const startMs = 60_000

export interface Azurite {
  /** With the account in it. */
  readonly endpoint: string
  makeContainer(name: string): Promise<void>
  stop(): Promise<void>
}

/** PEM files. With them it speaks https, and takes tokens of identities, whose signatures it does not look at. */
export interface AzuriteCertificate {
  readonly certificate: string
  readonly key: string
}

/** Throws, with what it said, when it does not come up. */
export async function startAzurite(secure?: AzuriteCertificate): Promise<Azurite> {
  const program = path.join(path.dirname(createRequire(import.meta.url).resolve('azurite/package.json')), 'dist/src/blob/main.js')
  const oauth = secure === undefined ? [] : ['--oauth', 'basic', '--cert', secure.certificate, '--key', secure.key]
  const child = spawn(process.execPath, [program, '--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry', '--silent', '--blobHost', '127.0.0.1', '--blobPort', '0', ...oauth])
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)
  const endpoint = `${await addressOf(child)}/${azuriteAccount}`
  return {
    endpoint,
    makeContainer: async (name) => {
      await new ContainerClient(`${endpoint}/${name}`, new StorageSharedKeyCredential(azuriteAccount, azuriteKey)).create()
    },
    stop: async () => {
      process.off('exit', onExit)
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The one that it prints when it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const limit = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`Cannot start Azurite: nothing listens after ${startMs} ms\n${said}`))
    }, startMs)
    const hear = (text: unknown): void => {
      said += String(text)
      const address = /listens on (https?:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]
      if (address === undefined) return
      clearTimeout(limit)
      resolve(address)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', (code) => {
      clearTimeout(limit)
      reject(new Error(`Cannot start Azurite: it ended with ${code}\n${said}`))
    })
  })
}

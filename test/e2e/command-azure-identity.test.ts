/**
 * A volume in Azure Blob Storage (Azurite) by an identity of Azure: the command gets its tokens where a service of Azure has them, from an address of this machine,
 * and Azurite looks at what they say.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../shared/clock.ts'
import { type Azurite, azuriteAccount, startAzurite } from '../support/azurite.ts'
import { edgemount, edgemountOk } from '../support/command.ts'

const secret = 'the-header-of-the-service'
let server: Azurite | undefined
let tokens: Server | undefined
let directory: string
let environment: Record<string, string>
const asked: (string | undefined)[] = []

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'edgemount-identity-'))
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => path.join(directory, name)) as [string, string]
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', certificate, '-days', '2']
  await promisify(execFile)('openssl', [...words, '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'])
  server = await startAzurite({ key, certificate })
  const before = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...before, readFileSync(certificate, 'utf8')])
  await server.makeContainer('volumes')
  tls.setDefaultCACertificates(before)
  // As App Service has it.
  const answering = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    asked.push(url.searchParams.get('resource') ?? undefined)
    const isAllowed = request.headers['x-identity-header'] === secret
    response.writeHead(isAllowed ? 200 : 400, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(isAllowed ? tokenNow() : { statusCode: 400, message: 'no identity for you' }))
  })
  tokens = answering
  await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve))
  const { port } = answering.address() as AddressInfo
  environment = { NODE_EXTRA_CA_CERTS: certificate, IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/token`, IDENTITY_HEADER: secret }
})

afterAll(async () => {
  tokens?.close()
  await server?.stop()
  await rm(directory, { recursive: true, force: true })
})

/** Azurite looks at all of it but the signature. */
function tokenNow(): Record<string, unknown> {
  const seconds = Math.floor(systemClock.now() / 1000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { aud: 'https://storage.azure.com', iss: 'https://sts.windows.net/tenant/', iat: seconds, nbf: seconds - 60, exp: seconds + 3600, ver: '1.0' }
  const token = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${part({ no: 'signature' })}`
  return { access_token: token, expires_on: String(seconds + 3600), resource: claims.aud, token_type: 'Bearer' }
}

const addressOf = (names: string): string => `az://${azuriteAccount}/volumes/${names}?endpoint=${server!.endpoint}`

test('a volume is made, written and read without a key or a SAS token', async () => {
  expect(await edgemountOk(['create', addressOf('photos')], { env: environment })).toContain('Created the volume "photos"')
  await edgemountOk(['put', '-', addressOf('photos/a.txt')], { env: environment, input: new TextEncoder().encode('by an identity') })
  expect(await edgemountOk(['cat', addressOf('photos/a.txt')], { env: environment })).toBe('by an identity')
  expect(new Set(asked)).toEqual(new Set(['https://storage.azure.com']))
})

test('an identity that gets no token is denied, and http refuses all of them', async () => {
  const refused = await edgemount(['ls', addressOf('photos')], { env: { ...environment, IDENTITY_HEADER: 'another' } })
  expect(refused.stderr).toMatch(/no identity of Azure gives a token here .*az login/s)
  expect(refused.code).toBe(5)
  const open = await edgemount(['ls', addressOf('photos').replace('https:', 'http:')], { env: environment })
  expect(open.stderr).toContain('that needs https')
})

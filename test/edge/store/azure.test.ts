/** The Azure store against Azurite, Microsoft's emulator: by key, by SAS, without either. */
import { ContainerClient, ContainerSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AzureStore } from '../../../edge/store/azure.ts'
import { azureAccess } from '../../../edge/store/azure/access.ts'
import { testLeases } from '../../suites/leases.ts'
import { testStore } from '../../suites/store.ts'
import { type Azurite, azuriteAccount, azuriteKey, startAzurite } from '../../support/azurite.ts'
import { bytesAt, expectBytes, failureOf, text } from '../../support/store-bytes.ts'

const container = 'edgemount-test'
let server: Azurite | undefined
let storeCount = 0

beforeAll(async () => {
  server = await startAzurite()
  await server.makeContainer(container)
})

afterAll(() => server?.stop())

function storeAt(prefix: string, environment: Readonly<Record<string, string>> = { AZURE_STORAGE_KEY: azuriteKey }, name = container): AzureStore {
  const access = azureAccess(azuriteAccount, environment)
  return new AzureStore({ account: azuriteAccount, container: name, prefix, endpoint: server!.endpoint, access })
}

testStore('azure (Azurite)', async () => ({ store: storeAt(`t${(storeCount += 1)}`) }), { keyBytesMax: 1016 })
testLeases('azure (Azurite)', async () => ({ store: storeAt(`t${(storeCount += 1)}`) }))

function sasToken(permissions: string): string {
  const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)
  const expiresOn = new Date(Date.now() + 3_600_000)
  return generateBlobSASQueryParameters({ containerName: container, permissions: ContainerSASPermissions.parse(permissions), expiresOn }, credential).toString()
}

test('a SAS token is enough, and is in no label and no message', async () => {
  const token = sasToken('racwdl')
  const store = storeAt('sas', { AZURE_STORAGE_SAS_TOKEN: `?${token}` })
  expect(await store.create('k', text('x'))).toBe(true)
  expect(await store.create('k', text('y'))).toBe(false)
  expectBytes(await bytesAt(store, 'k'), text('x'))
  expect(await store.list('')).toEqual([{ key: 'k', size: 1 }])
  expect(store.label).not.toContain('sig=')
  const reader = storeAt('sas', { AZURE_STORAGE_SAS_TOKEN: sasToken('r') })
  const denied = await reader.put('k', text('z')).catch((error: unknown) => error)
  expect(String(denied)).toMatch(/^EdgemountError: Cannot write "k" to az:\/\/devstoreaccount1\/edgemount-test\/sas\?endpoint=\S+: (?!.*sig=).*SAS token/)
  expect(await failureOf(reader.put('k', text('z')))).toBe('denied')
})

test('a wrong key is denied; a container that is not there is said to be so', async () => {
  expect(await failureOf(storeAt('', { AZURE_STORAGE_KEY: 'AAAA' }).get('k'))).toBe('denied')
  await expect(storeAt('', undefined, 'no-such-box').get('k')).rejects.toThrow('there is no container "no-such-box" there')
})

test('a public container is read without credentials, and not written', async () => {
  const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)
  await new ContainerClient(`${server!.endpoint}/public`, credential).create({ access: 'container' })
  await storeAt('', undefined, 'public').create('k', text('x'))
  const store = storeAt('', {}, 'public')
  expectBytes(await bytesAt(store, 'k'), text('x'))
  expect(await failureOf(store.put('k', text('y')))).toBe('denied')
})

test('what others keep in the container is not listed', async () => {
  const client = new ContainerClient(`${server!.endpoint}/${container}`, new StorageSharedKeyCredential(azuriteAccount, azuriteKey))
  for (const name of ['foreign/ü', 'foreign/a//b', 'foreign/k']) await client.uploadBlockBlob(name, 'x', 1)
  expect(await storeAt('foreign').list('')).toEqual([{ key: 'k', size: 1 }])
})

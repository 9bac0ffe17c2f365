/** A volume in Azure Blob Storage (Azurite), by the command alone, with a key and with a SAS token. */
import { ContainerSASPermissions, generateBlobSASQueryParameters, StorageSharedKeyCredential } from '@azure/storage-blob'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Azurite, azuriteAccount, azuriteKey, startAzurite } from '../support/azurite.ts'
import { edgemount, edgemountOk } from '../support/command.ts'

const container = 'volumes'
let server: Azurite | undefined

beforeAll(async () => {
  server = await startAzurite()
  await server.makeContainer(container)
})

afterAll(() => server?.stop())

function addressOf(names: string): string {
  return `az://${azuriteAccount}/${container}/${names}?endpoint=${server!.endpoint}`
}

test('made with the key, written and read with a SAS token, checked with a connection string', async () => {
  const withKey = { AZURE_STORAGE_KEY: azuriteKey }
  expect(await edgemountOk(['create', addressOf('team/photos')], { env: withKey })).toContain('Created the volume "photos"')
  const permissions = ContainerSASPermissions.parse('racwdl')
  const credential = new StorageSharedKeyCredential(azuriteAccount, azuriteKey)
  const token = generateBlobSASQueryParameters({ containerName: container, permissions, expiresOn: new Date(Date.now() + 3_600_000) }, credential).toString()
  const withToken = { AZURE_STORAGE_SAS_TOKEN: token }
  const body = new Uint8Array(3_000_000).fill(7)
  await edgemountOk(['put', '-', addressOf('team/photos/dir/file.bin')], { env: withToken, input: body })
  expect(await edgemountOk(['ls', '-R', addressOf('team/photos')], { env: withToken })).toBe('dir/\ndir/file.bin\n')
  expect(await edgemountOk(['cat', addressOf('team/photos/dir/file.bin')], { env: withToken })).toHaveLength(body.length)
  const connection = `DefaultEndpointsProtocol=http;AccountName=${azuriteAccount};AccountKey=${azuriteKey};BlobEndpoint=${server!.endpoint};`
  const withConnection = { AZURE_STORAGE_CONNECTION_STRING: connection }
  expect(await edgemountOk(['fsck', '--read-data', addressOf('team/photos')], { env: withConnection })).toContain('nothing is damaged')
  expect(await edgemountOk(['ls', `az://${azuriteAccount}/${container}/team`], { env: withConnection })).toBe('photos\n')
})

test('without credentials it is denied, and says what to set', async () => {
  const { code, stderr } = await edgemount(['ls', addressOf('team/photos')])
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/AZURE_STORAGE_KEY/)
})

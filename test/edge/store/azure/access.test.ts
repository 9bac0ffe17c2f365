import { expect, test } from 'vitest'
import { azureAccess } from '../../../../edge/store/azure/access.ts'

test.each([
  [{}, { kind: 'anonymous' }],
  [{ AZURE_STORAGE_KEY: 'QUJD' }, { kind: 'key', key: 'QUJD' }],
  [{ AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=x' }, { kind: 'sas', token: 'sv=1&sig=x' }],
  [
    { AZURE_STORAGE_CONNECTION_STRING: 'DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=QUJD==;BlobEndpoint=http://127.0.0.1:1/acc/;' },
    { kind: 'key', key: 'QUJD==', endpoint: 'http://127.0.0.1:1/acc' },
  ],
  [{ AZURE_STORAGE_CONNECTION_STRING: 'BlobEndpoint=https://x;SharedAccessSignature=sv=1&sig=y%3D' }, { kind: 'sas', token: 'sv=1&sig=y%3D', endpoint: 'https://x' }],
  [{ AZURE_STORAGE_AUTH_MODE: 'login' }, { kind: 'identity' }],
  [{ AZURE_STORAGE_AUTH_MODE: 'login', AZURE_STORAGE_KEY: 'QUJD' }, { kind: 'identity' }],
  [{ AZURE_CLIENT_ID: 'app' }, { kind: 'identity' }],
  [{ IDENTITY_ENDPOINT: 'http://127.0.0.1/token' }, { kind: 'identity' }],
  [{ AZURE_CLIENT_ID: 'app', AZURE_STORAGE_KEY: 'QUJD' }, { kind: 'key', key: 'QUJD' }],
  [{ AZURE_CLIENT_ID: 'app', AZURE_STORAGE_AUTH_MODE: 'key' }, { kind: 'anonymous' }],
])('%j', (environment, access) => {
  expect(azureAccess('acc', environment)).toEqual(access)
})

test.each([
  [{ AZURE_STORAGE_KEY: 'not base64!' }, 'AZURE_STORAGE_KEY: it is not base64'],
  [{ AZURE_STORAGE_CONNECTION_STRING: 'AccountName=other;AccountKey=QUJD' }, 'AZURE_STORAGE_CONNECTION_STRING is for the account "other"'],
  [{ AZURE_STORAGE_AUTH_MODE: 'anybody' }, 'AZURE_STORAGE_AUTH_MODE "anybody": it must be "login"'],
  [{ AZURE_STORAGE_CONNECTION_STRING: 'AccountName=acc' }, 'has no AccountKey and no SharedAccessSignature'],
])('%j is refused, and not shown', (environment, why) => {
  expect(() => azureAccess('acc', environment)).toThrow(why)
  expect(() => azureAccess('acc', environment)).not.toThrow('not base64!')
})

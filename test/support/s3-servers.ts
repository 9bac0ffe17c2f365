/** S3 servers for tests, each with one empty bucket. A test has a prefix of its own in it. */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { S3Store, type S3StoreSettings } from '../../edge/store/s3.ts'
import { systemClock } from '../../shared/clock.ts'
import { systemRandom } from '../../shared/random.ts'

export interface S3Server {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export const testBucket = 'edgemount-test'

export async function makeBucket({ endpoint, accessKeyId, secretAccessKey }: S3Server): Promise<void> {
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  await client.send(new CreateBucketCommand({ Bucket: testBucket }))
  client.destroy()
}

/** A store below `prefix` of the test bucket. */
export function s3StoreAt({ endpoint, accessKeyId, secretAccessKey }: S3Server, prefix: string, more: Partial<S3StoreSettings> = {}): S3Store {
  const credentials = { accessKeyId, secretAccessKey }
  return new S3Store({ bucket: testBucket, prefix, endpoint, region: 'us-east-1', credentials, clock: systemClock, random: systemRandom, ...more })
}

/**
 * The edge on Cloudflare Workers over an S3 bucket elsewhere. An entry of its own, so that the Worker over R2 holds no SDK. `wrangler-s3.toml` deploys it.
 */
import { systemClock } from '../shared/clock.ts'
import { EdgemountError, messageOf } from '../shared/error.ts'
import { systemRandom } from '../shared/random.ts'
import type { ObjectStore } from '../shared/store.ts'
import { respondThrown } from './http/respond.ts'
import { limitStore } from './store/limit.ts'
import { retryDefaults, retryStore } from './store/retry.ts'
import { S3Store } from './store/s3.ts'
import { parseStoreUrl } from './store/store-url.ts'
import { answer, type ExecutionContext, type WorkerSettings } from './worker-fetch.ts'

/** Variables and secrets of `wrangler-s3.toml`. */
export interface Environment extends WorkerSettings {
  /** `s3://bucket/prefix?endpoint=…&region=…` */
  readonly EDGEMOUNT_STORE?: string | undefined
  readonly AWS_ACCESS_KEY_ID?: string | undefined
  readonly AWS_SECRET_ACCESS_KEY?: string | undefined
  readonly AWS_SESSION_TOKEN?: string | undefined
}

/** What a Worker may have open at once; more would wait in the platform, without our deadlines. */
const callCountMax = 6
const queueCountMax = 1000
/** The client of whoever asks waits: fewer than elsewhere. */
const tryCountMax = 3

export default {
  fetch: async (request: Request, environment: Environment, context: ExecutionContext): Promise<Response> => {
    let store: ObjectStore
    try {
      store = storeOf(environment)
    } catch (error) {
      console.error(messageOf(error))
      return respondThrown(new EdgemountError('unavailable', 'Cannot answer: this Worker has no store yet; its log says what is missing', { cause: error }))
    }
    return await answer(store, request, environment, context)
  },
}

/** A store for one request: its connections are that request's. */
function storeOf(environment: Environment): ObjectStore {
  const { EDGEMOUNT_STORE: text, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = environment
  const missing = Object.entries({ EDGEMOUNT_STORE: text, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }).find(([, value]) => !value)
  if (missing !== undefined || !text || !accessKeyId || !secretAccessKey) {
    throw new EdgemountError('invalid', `Cannot open the store: ${missing?.[0]} is not set; give it to the Worker as wrangler-s3.toml says`)
  }
  const url = parseStoreUrl(text)
  if (url.kind !== 's3') throw new EdgemountError('unsupported', 'Cannot open the store: EDGEMOUNT_STORE must be s3://bucket/prefix; for R2 deploy wrangler.toml')
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
  const store = new S3Store({ ...url, region: url.region ?? 'us-east-1', credentials, clock: systemClock, random: systemRandom })
  return retryStore(limitStore(store, { callCountMax, queueCountMax }), { clock: systemClock, random: systemRandom, ...retryDefaults, tryCountMax })
}

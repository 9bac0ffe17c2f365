/**
 * The edge on Cloudflare Workers: the R2 bucket that `wrangler.toml` binds is the store.
 */
import { R2Store, type R2Bucket } from './store/r2.ts'
import { answer, type ExecutionContext, type WorkerSettings } from './worker-fetch.ts'

/** What `wrangler.toml` binds. */
export interface Environment extends WorkerSettings {
  readonly VOLUMES: R2Bucket
}

export default {
  fetch: async (request: Request, environment: Environment, context: ExecutionContext): Promise<Response> =>
    await answer(new R2Store(environment.VOLUMES, 'VOLUMES'), request, environment, context),
}

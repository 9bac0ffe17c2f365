/**
 * What the console's page loads, by names that change with the content. The page itself is at `/` (`about.ts`).
 */
import { EdgemountError } from '../../shared/error.ts'
import { immutableCache, respond } from '../http/respond.ts'
import type { Route } from '../route.ts'

export const consoleRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/console/{name}',
    // It is the same for everybody; who has no token looks at public volumes with it, or is asked for one.
    needs: undefined,
    weight: 1,
    summary: 'A script, style or picture of the console; its name changes with what is in it',
    responses: { 200: 'The file', 404: 'The console has no such file, or another one since' },
    handle: ({ edge, parameters }) => {
      const { name = '' } = parameters
      const file = Object.hasOwn(edge.console?.files ?? {}, name) ? edge.console?.files[name] : undefined
      if (file === undefined) throw new EdgemountError('not-found', `Cannot find "/console/${name}": the console has changed since; load the page at / again`)
      return respond(200, { 'content-type': file.type, 'cache-control': immutableCache }, file.text)
    },
  },
]

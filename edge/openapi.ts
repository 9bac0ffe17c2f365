/**
 * The OpenAPI 3.1 document of an app, from the same route values that the router has.
 */
import type { Route } from './route.ts'

const pathParameters: Readonly<Record<string, string>> = {
  volume: "The volume's name",
  path: 'A path in the volume, each name percent-encoded byte by byte; slashes between names stand as they are',
  seq: 'A commit',
  pack: 'A pack id: d or m and a ULID',
  start: 'First byte',
  end: 'The byte after the last',
  peer: 'The id of a shim',
  lease: "A lease's name: letters, digits, dots, underscores and dashes",
  name: 'A name from the page at /',
}

export function openApiDocument(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const operations = (paths[route.template] ??= {})
    operations[route.method.toLowerCase()] = operationOf(route)
    if (route.method === 'GET') operations['head'] = { ...operationOf(route), operationId: operationId(route, 'head'), summary: `${route.summary}; headers only` }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'edgemount edge', version: '1', description: 'Files of a volume by HTTP range, and slices, manifests and commits for mounts. See shared/WIRE.md.' },
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        query: { type: 'apiKey', in: 'query', name: 't' },
      },
      responses: { Error: { description: 'An error', content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } } },
      schemas: {
        Error: {
          type: 'object',
          required: ['error'],
          properties: { error: { type: 'object', required: ['code', 'message'], properties: { code: { type: 'string' }, message: { type: 'string' }, reason: { type: 'string' } } } },
        },
      },
    },
  }
}

function operationOf(route: Route): object {
  const inPath = Array.from(route.template.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    description: pathParameters[name!],
    schema: { type: 'string' },
  }))
  const others = (route.parameters ?? []).map(({ name, in: place, text }) => ({ name, in: place, description: text, schema: { type: 'string' } }))
  const responses = Object.entries(route.responses).map(([status, description]) => [status, { description }])
  return {
    operationId: operationId(route, route.method.toLowerCase()),
    summary: route.summary,
    // Of an edge with secrets: a token that allows what the route needs.
    ...(route.needs === undefined ? {} : { security: [{ bearer: [route.needs] }, { apiKey: [route.needs] }, { query: [route.needs] }] }),
    parameters: [...inPath, ...others],
    ...(route.requestType === undefined ? {} : { requestBody: { content: { [route.requestType]: {} } } }),
    responses: { ...Object.fromEntries(responses), default: { $ref: '#/components/responses/Error' } },
  }
}

/** `GET /v1/{volume}/log/{seq}` → `getV1VolumeLogSeq`. */
function operationId(route: Route, method: string): string {
  const words = route.template.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return [method, ...(words.length === 0 ? ['root'] : words)].map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('')
}

/**
 * What this edge is and how it does, for people, probes and collectors. Takes the other routes, since it documents them.
 */
import { escapeHtml, pageHeaders, prefersHtml } from '../http/listing.ts'
import { openApiDocument } from '../openapi.ts'
import { consolePolicy } from '../console-files.ts'
import { queryValue } from '../http/query.ts'
import { respond, respondJson } from '../http/respond.ts'
import { signInPage } from '../sign-in.ts'
import type { Route } from '../route.ts'

export function aboutRoutes(others: readonly Route[]): readonly Route[] {
  const routes: Route[] = [
    {
      method: 'GET',
      template: '/healthz',
      needs: undefined,
      summary: 'Whether the edge runs; with deep=1, whether its store answers too',
      parameters: [{ name: 'deep', in: 'query', text: '1: asks the store' }],
      responses: { 200: 'It does', 503: 'The store is away' },
      handle: async ({ edge, query, signal }) => {
        if (query.split('&').includes('deep=1')) await edge.volumes.list(undefined, 1, signal)
        return respondJson(200, { status: 'ok' }, { 'cache-control': 'no-store' })
      },
    },
    {
      method: 'GET',
      template: '/metrics',
      needs: 'admin',
      summary: 'Counters in the Prometheus text format',
      responses: { 200: 'Exposition format 0.0.4' },
      handle: ({ edge }) => respond(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' }, edge.metrics.text()),
    },
    {
      method: 'GET',
      template: '/openapi.json',
      needs: 'read',
      summary: 'This document',
      responses: { 200: 'OpenAPI 3.1' },
      handle: () => respondJson(200, document),
    },
    {
      method: 'GET',
      template: '/',
      needs: 'read',
      isForEveryToken: true,
      summary: 'The console, for people; for programs what this is and where things are',
      responses: { 200: 'A page, or plain text, by Accept', 302: 'A page was asked for with ?t=: the same at /t/{token}/' },
      showError: (refused) => (prefersHtml(refused.request.headers.get('accept')) ? signInPage(refused) : undefined),
      handle: ({ edge, request, query, base }) => {
        const headers = { vary: 'Accept', 'cache-control': 'no-cache' }
        if (!prefersHtml(request.headers.get('accept'))) return respond(200, { ...headers, 'content-type': 'text/plain; charset=utf-8' }, plainPage(all))
        const token = queryValue(query, 't')
        // Everything that the page loads is addressed relative to it, and so keeps a token that stands in the path.
        if (token !== undefined && token !== '' && base === '') return respond(302, { ...headers, 'cache-control': 'no-store', location: `./t/${token}/` })
        if (edge.console !== undefined) return respond(200, { ...headers, ...pageHeaders, 'content-security-policy': consolePolicy }, edge.console.page)
        return respond(200, { ...headers, ...pageHeaders }, htmlPage(all))
      },
    },
  ]
  const all = [...others, ...routes]
  const document = openApiDocument(all)
  return routes
}

const claim = 'This is an edgemount edge: it serves the files of volumes in object storage by HTTP range, and to mounts.'

function plainPage(routes: readonly Route[]): string {
  const lines = routes.map(({ method, template, summary }) => `${method.padEnd(6)} ${template.padEnd(38)} ${summary}`)
  return `${claim}\n\n${lines.join('\n')}\n`
}

function htmlPage(routes: readonly Route[]): string {
  const rows = routes.map(({ method, template, summary }) => {
    const isPlain = method === 'GET' && !template.includes('{')
    const address = isPlain ? `<a href=".${template}">${template}</a>` : escapeHtml(template)
    return `<tr><td>${method}</td><td><code>${address}</code></td><td>${escapeHtml(summary)}</td></tr>`
  })
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>edgemount</title>
<style>:root { color-scheme: light dark } body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem } td { padding: .2rem .5rem; vertical-align: top }</style>
<h1>edgemount</h1>
<p>${claim} The <a href="./v1">volumes</a> are at <code>/v1</code>; a volume's files are at <code>/v1/{volume}/files/</code>.</p>
<table>
${rows.join('\n')}
</table>
</html>
`
}

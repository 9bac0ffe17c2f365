/**
 * The page for people who open an edge without a token that counts: why, and a form that takes another one. It has no script and keeps nothing.
 */
import { escapeHtml, pageHeaders } from './http/listing.ts'
import { respond } from './http/respond.ts'

const policy = pageHeaders['content-security-policy'].replace("form-action 'none'", "form-action 'self'")

/** `base` is what stands before the page's path: the form leads out of a token's address, to one with the new token. */
export function signInPage(refusal: Response, message: string, base: string): Response {
  const challenge = refusal.headers.get('www-authenticate')
  const retryAfter = refusal.headers.get('retry-after')
  const headers = {
    ...pageHeaders,
    'content-security-policy': policy,
    'cache-control': 'no-store',
    vary: 'Accept',
    ...(challenge === null ? {} : { 'www-authenticate': challenge }),
    ...(retryAfter === null ? {} : { 'retry-after': retryAfter }),
  }
  const isSignIn = refusal.status === 401 || refusal.status === 403
  return respond(refusal.status, headers, page(message, base === '' ? './' : '../../', isSignIn))
}

function page(message: string, action: string, isSignIn: boolean): string {
  const title = isSignIn ? 'A token is needed' : 'Not now'
  const form = `<form action="${action}" method="get">
<label for="t">Token</label>
<input id="t" name="t" type="password" required autocomplete="off" spellcheck="false" placeholder="em1.…">
<button>Open</button>
</form>
<p>A token looks like <code>em1.…</code>. Whoever runs this edge makes one with <code>edgemount token create</code>. An address that holds a token, <code>/t/&lt;token&gt;/</code>, opens by itself.
The files of a public volume need none: they are at <code>/v1/&lt;volume&gt;/files/</code>.</p>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title} · edgemount</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 12vh auto; max-width: 34rem; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 0 .5rem }
form { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1.5rem 0 }
label { flex-basis: 100%; font-weight: 600 }
input { flex: 1 1 16rem; font: inherit; padding: .45rem .6rem }
button { font: inherit; padding: .45rem 1rem }
p { color: color-mix(in srgb, currentcolor 80%, transparent) }
</style>
<main>
<h1>${title}</h1>
<p role="alert">${escapeHtml(message)}.</p>
${isSignIn ? form : ''}
</main>
</html>
`
}

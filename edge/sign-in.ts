/**
 * The page for people who open an edge without a token that counts: why, and a form that takes another one. Who brings none gets the console, which knows then that it has none:
 * it opens the volumes that are public, by their address, which no server sees. Without a console, and for a token that does not count, it is a page without scripts.
 */
import { escapeHtml, pageHeaders } from './http/listing.ts'
import { type ConsoleFiles, consolePolicy } from './console-files.ts'
import { respond } from './http/respond.ts'
import type { Refused } from './route.ts'

const policy = pageHeaders['content-security-policy'].replace("form-action 'none'", "form-action 'self'")

export function signInPage({ request, base, response: refusal, message, console }: Refused): Response {
  const challenge = refusal.headers.get('www-authenticate')
  const retryAfter = refusal.headers.get('retry-after')
  const isStranger = refusal.status === 401 && base === '' && !/[?&]t=/.test(request.url)
  const withConsole = isStranger ? console : undefined
  const headers = {
    ...pageHeaders,
    'content-security-policy': withConsole === undefined ? policy : consolePolicy,
    'cache-control': 'no-store',
    vary: 'Accept',
    ...(challenge === null ? {} : { 'www-authenticate': challenge }),
    ...(retryAfter === null ? {} : { 'retry-after': retryAfter, refresh: String(Math.max(5, Number(retryAfter))) }),
  }
  const isSignIn = refusal.status === 401 || refusal.status === 403
  // The form leads out of a token's address, to one with the new token.
  const text = withConsole === undefined ? page(message, { action: base === '' ? './' : '../../', isSignIn, isTriedAgain: retryAfter !== null }) : consolePage(withConsole, message)
  return respond(refusal.status, headers, text)
}

/** The console's own page, with why it has to do without a token, and the form for who has no scripts. */
function consolePage({ page: built }: ConsoleFiles, message: string): string {
  return built.replace('<html lang="en"', () => `<html lang="en" data-refusal="${escapeHtml(message)}"`).replace('<noscript>', () => `<noscript><p>${escapeHtml(message)}.</p>${formFor('./')}`)
}

function formFor(action: string): string {
  return `<form action="${action}" method="get">
<label for="t">Token</label>
<input id="t" name="t" type="password" required autocomplete="off" spellcheck="false" placeholder="em1.…">
<button>Open</button>
</form>
<p>A token looks like <code>em1.…</code>. Whoever runs this edge makes one with <code>edgemount token create</code>. An address that holds a token, <code>/t/&lt;token&gt;/</code>, opens by itself.
The files of a public volume need none: they are at <code>/v1/&lt;volume&gt;/files/</code>.</p>`
}

function page(message: string, { action, isSignIn, isTriedAgain }: { readonly action: string; readonly isSignIn: boolean; readonly isTriedAgain: boolean }): string {
  const title = isSignIn ? 'A token is needed' : 'Not now'
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
${isSignIn ? formFor(action) : isTriedAgain ? '<p>This page tries again by itself in a few seconds.</p>' : ''}
</main>
</html>
`
}

import type { FastifyInstance } from '../../http/index.ts'
import { invitationPage, invitationScript } from './invitation.ts'
import { page, stylesheet } from './layout.ts'
import { setupPage, setupScript } from './setup.ts'

/** The few pages that a panel has before its web UI: what this is, the first-run set-up, and accepting an invitation. */
export function pages(app: FastifyInstance): void {
  const html = 'text/html; charset=utf-8'
  const files: [path: string, type: string, content: string][] = [
    ['/', html, frontPage],
    ['/setup', html, setupPage],
    ['/setup.js', 'text/javascript; charset=utf-8', setupScript],
    ['/invitation', html, invitationPage],
    ['/invitation.js', 'text/javascript; charset=utf-8', invitationScript],
    ['/pages.css', 'text/css; charset=utf-8', stylesheet],
  ]
  for (const [path, type, content] of files)
    app.get(path, (_request, reply) => {
      reply.headers(pageHeaders).type(type).send(content)
    })
}

/** Nothing from elsewhere runs here, and nobody puts these pages into theirs. */
const pageHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
}

const frontPage = page({
  title: 'Pharos',
  body: `<h1>Pharos</h1>
<p>This panel runs game servers and puts them, or any local port, on the internet.</p>
<p>It speaks HTTP at <code>/api/v1</code>, which <a href="/api/v1/openapi.json">its OpenAPI document</a> describes. The command line does the same: <code>pharos --help</code></p>`,
})

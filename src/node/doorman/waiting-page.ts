import { createHash } from 'node:crypto'

/** What a browser is told while it waits for a server. */
export interface PageWords {
  /** Of the server: people choose it. */
  name: string
  message: string
  /** Whether it makes sense to wait. */
  waits: boolean
}

/** Tells the page's own script that it still talks to the doorman, not to the server. */
const waitingField = 'Pharos-Waiting'

/**
 * The whole response. Its script asks every two seconds until somebody else answers: a reload alone would end at the moment in
 * which the port changes hands and refuses.
 */
export function waitingResponse({ name, message, waits }: PageWords): Buffer {
  const script = waits ? waitingScript : ''
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(name)}</title>${waits ? '<noscript><meta http-equiv="refresh" content="5"></noscript>' : ''}
<style>:root{color-scheme:light dark}body{margin:0;min-height:100vh;display:grid;place-content:center;text-align:center;font:1rem/1.5 system-ui,sans-serif;padding:1rem}p{margin:.5rem 0;opacity:.75}</style>
</head><body><main><h1>${escaped(name)}</h1><p role="status">${escaped(message)}</p></main>${script && `<script>${script}</script>`}</body></html>
`
  const body = Buffer.from(page)
  const hash = createHash('sha256').update(script).digest('base64')
  return response(body, 'text/html; charset=utf-8', [
    [
      'Content-Security-Policy',
      `default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'sha256-${hash}'`,
    ],
    ['Referrer-Policy', 'no-referrer'],
  ])
}

/** The same for a program, which would not wait any longer. */
export const waitingText = ({ name, message }: PageWords): Buffer =>
  response(Buffer.from(`${name}: ${message}\n`), 'text/plain; charset=utf-8', [])

const waitingScript = `(async()=>{for(;;){await new Promise(r=>setTimeout(r,2000));try{const a=await fetch(location.href,{cache:"no-store",headers:{accept:"text/html"}});if(!a.headers.has("${waitingField}")&&![502,503,504].includes(a.status)){location.reload();return}}catch{}}})()`

const retryAfterSeconds = 5

function response(body: Buffer, type: string, fields: [name: string, value: string][]): Buffer {
  const lines = [
    'HTTP/1.1 503 Service Unavailable',
    `Content-Type: ${type}`,
    `Content-Length: ${body.length}`,
    `Retry-After: ${retryAfterSeconds}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    `${waitingField}: 1`,
    ...fields.map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (found) => entities[found] ?? found)

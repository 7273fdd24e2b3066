import type { FastifyInstance, FastifyReply, FastifyRequest } from '../../http/index.ts'
import type { WebFile } from './files.ts'

/**
 * Serves the web UI. Every path that is no file and not the API's is a page of it: its own router knows which, and the answer is
 * the same document.
 */
export function pages(files: ReadonlyMap<string, WebFile>): (app: FastifyInstance) => void {
  const document = files.get('/index.html')
  return (app) => {
    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0] ?? '/'
      reply.headers(pageHeaders)
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return reply.code(405).header('allow', 'GET, HEAD').type('text/plain').send('Only GET and HEAD.\n')
      const file = files.get(path)
      if (file) return send(request, reply, file)
      // A missing script must not be answered with a page: the browser would report a syntax error instead of what is wrong.
      if (path.startsWith('/assets/')) return reply.code(404).type('text/plain').send('There is no such file.\n')
      if (!document) return reply.code(503).type('text/plain').send(notBuilt)
      return send(request, reply, document)
    })
  }
}

function send(request: FastifyRequest, reply: FastifyReply, file: WebFile): FastifyReply {
  const accepted = request.headers['accept-encoding'] ?? ''
  reply.header('vary', 'accept-encoding').type(file.type)
  reply.header('cache-control', file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (file.brotli && /\bbr\b/.test(accepted)) return reply.header('content-encoding', 'br').send(file.brotli)
  if (file.gzip && /\bgzip\b/.test(accepted)) return reply.header('content-encoding', 'gzip').send(file.gzip)
  return reply.send(file.content)
}

/**
 * Nothing from elsewhere runs here, nothing that is text becomes code, and nobody puts these pages into theirs. Styles may be inline:
 * the terminal, the editor and floating elements set them from scripts that are our own.
 */
const pageHeaders = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
}

const notBuilt = `This panel has no web UI: it has not been built. \`npm start\` builds it; the command line and the API work without it.
`

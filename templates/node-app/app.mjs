// A first page. Replace this file with your own program, or set another main file; restart the server afterwards.
import { createServer } from 'node:http'

const port = Number(process.env.SERVER_PORT)

const server = createServer((request, response) => {
  console.log(`${request.method} ${JSON.stringify(request.url)}`)
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.end('<!doctype html><title>It runs</title><h1>It runs</h1><p>Edit app.mjs to make this page yours.</p>\n')
})
server.listen(port, () => console.log(`Listening on port ${port}`))

process.on('SIGTERM', () => server.close(() => process.exit(0)))

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { silentLog } from '../lib/log.ts'
import { EdgeConfig } from './config.ts'
import { startEdge } from './edge.ts'
import { certificateFor } from './testing/certificates.ts'
import { ask } from './testing/http2-client.ts'
import {
  acmeToken,
  eventually,
  forwardTo,
  handAgent,
  httpService,
  rawVisitor,
  type TestEdge,
  tempFolder,
  testEdge,
} from './testing/world.ts'

/** Puts a pair into a folder, each file whole at once. */
async function place(folder: string, name: string, names: readonly string[]): Promise<string> {
  const { certificate, key } = await certificateFor(names)
  for (const [file, text] of [
    [`${name}.key`, key],
    [`${name}.pem`, certificate],
  ] as const) {
    await writeFile(join(folder, `${file}.new`), text)
    await rename(join(folder, `${file}.new`), join(folder, file))
  }
  return certificate
}

/** An edge with certificates for all of acme and for one host of umbrella, and a service that tells what it was asked. */
async function securedEdge(
  closer: AsyncDisposableStack,
  log = silentLog,
): Promise<{ edge: TestEdge; folder: string; certificates: { acme: string; one: string } }> {
  const folder = await tempFolder(closer)
  const acme = await place(folder, 'acme', ['*.acme.localhost'])
  const one = await place(folder, 'one', ['one.umbrella.localhost'])
  const edge = await testEdge(closer, { certificate: folder }, { log })
  const port = await httpService(closer, ({ headers, httpVersion }, response) =>
    response.end(`${headers.host} by ${headers['x-forwarded-proto']}, HTTP/${httpVersion}`),
  )
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(port))
  for (const name of ['web', 'shop']) {
    const { url } = await agent.open({ kind: 'http', name })
    assert.equal(url, `https://${name}.acme.localhost:${edge.httpPort}`)
  }
  return { edge, folder, certificates: { acme, one } }
}

/** A handshake in which nothing is verified: what the edge has shown is looked at by the test. */
async function shake(
  closer: AsyncDisposableStack,
  port: number,
  servername: string,
  ALPNProtocols: string[],
): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', servername, ALPNProtocols, rejectUnauthorized: false })
  closer.defer(() => {
    socket.destroy()
  })
  await once(socket, 'secureConnect')
  return socket
}

const shown = (socket: TLSSocket): string | undefined => socket.getPeerX509Certificate()?.toString()

test('shows each host its own certificate, and refuses names that none covers', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, certificates } = await securedEdge(closer)
  const web = await shake(closer, edge.httpPort, 'web.acme.localhost', ['h2'])
  assert.equal(shown(web)?.trim(), certificates.acme.trim())
  const one = await shake(closer, edge.httpPort, 'ONE.umbrella.localhost', ['h2'])
  assert.equal(shown(one)?.trim(), certificates.one.trim())
  for (const name of ['two.umbrella.localhost', 'a.b.acme.localhost', 'acme.localhost'])
    await assert.rejects(shake(closer, edge.httpPort, name, ['h2']), { code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' }, name)
})

test('visitors of HTTP/2, of HTTP/1.1 and without ALPN reach the same service, which is told of https', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await securedEdge(closer)
  const told = 'web.acme.localhost by https, HTTP/1.1'
  const socket = await shake(closer, edge.httpPort, 'web.acme.localhost', ['h2', 'http/1.1'])
  assert.equal(socket.alpnProtocol, 'h2')
  const session = connectHttp2('https://web.acme.localhost', { createConnection: () => socket })
  session.on('error', () => undefined)
  closer.defer(() => session.destroy())
  assert.equal((await ask(session, { 'x-forwarded-proto': 'http' })).text, told)
  for (const ALPNProtocols of [['http/1.1'], undefined]) {
    const asked = request({
      port: edge.httpPort,
      host: '127.0.0.1',
      servername: 'web.acme.localhost',
      rejectUnauthorized: false,
      agent: false,
      headers: { host: 'web.acme.localhost', 'x-forwarded-proto': 'http' },
      ...(ALPNProtocols && { ALPNProtocols }),
    }).end()
    const [response] = await once(asked, 'response')
    assert.equal((await response.setEncoding('utf8').toArray()).join(''), told)
  }
})

test('a connection serves the hosts that its certificate covers, and sends others away with 421', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await securedEdge(closer)
  const socket = await shake(closer, edge.httpPort, 'web.acme.localhost', ['h2'])
  const session = connectHttp2('https://web.acme.localhost', { createConnection: () => socket })
  session.on('error', () => undefined)
  closer.defer(() => session.destroy())
  assert.equal((await ask(session, { ':authority': 'one.umbrella.localhost' })).status, 421)
  assert.equal(
    (await ask(session, { ':authority': 'shop.acme.localhost' })).text,
    'shop.acme.localhost by https, HTTP/1.1',
  )
  const plain = await shake(closer, edge.httpPort, 'web.acme.localhost', ['http/1.1'])
  plain.write('GET / HTTP/1.1\r\nHost: one.umbrella.localhost\r\n\r\n')
  assert.match(String((await once(plain, 'data'))[0]), /^HTTP\/1\.1 421 /)
})

test('TLS of a passed-through tunnel is the service’s own, also under a name that the edge has a certificate for', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await securedEdge(closer)
  const { certificate, key } = await certificateFor(['mail.acme.localhost'])
  const service = createServer({ cert: certificate, key }, (socket) => {
    socket.on('error', () => undefined)
    socket.end('from the service')
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    service.close()
  })
  const agent = await handAgent(closer, edge, acmeToken, forwardTo((service.address() as { port: number }).port))
  await agent.open({ kind: 'tls', name: 'mail' })
  const socket = await shake(closer, edge.httpPort, 'mail.acme.localhost', ['h2'])
  assert.equal(shown(socket)?.trim(), certificate.trim())
  assert.equal((await socket.toArray()).join(''), 'from the service')
})

test('without TLS the port still serves, and the service is told of http', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await securedEdge(closer)
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nX-Forwarded-Proto: https\r\n\r\n')
  await visitor.until('web.acme.localhost by http, HTTP/1.1')
})

test('a renewed certificate is shown without a restart; a broken one leaves its last and holds no other one back', async () => {
  await using closer = new AsyncDisposableStack()
  const said: string[] = []
  const log = pino({ level: 'error' }, { write: (line: string) => void said.push(line) })
  const { edge, folder } = await securedEdge(closer, log)
  const of = async (name: string): Promise<string | undefined> =>
    shown(await shake(closer, edge.httpPort, name, ['h2']))?.trim()
  const renewed = await place(folder, 'acme', ['*.acme.localhost'])
  await eventually(async () => (await of('web.acme.localhost')) === renewed.trim(), 'the renewed one is shown')
  await writeFile(join(folder, 'acme.pem'), 'no certificate')
  const other = await place(folder, 'one', ['one.umbrella.localhost'])
  await eventually(
    () => said.some((line) => line.includes('acme.pem is not a certificate in PEM')),
    'the log names the broken file',
  )
  assert.equal(await of('web.acme.localhost'), renewed.trim())
  await eventually(async () => (await of('one.umbrella.localhost')) === other.trim(), 'the other one is renewed')
  const again = await place(folder, 'acme', ['*.acme.localhost'])
  await eventually(async () => (await of('web.acme.localhost')) === again.trim(), 'it was mended')
  assert.equal(await of('one.umbrella.localhost'), other.trim())
})

test('an edge does not start with files that are of no use, and names the file', async () => {
  await using closer = new AsyncDisposableStack()
  const folder = await tempFolder(closer)
  const start = async (certificate: string, certificateKey?: string): Promise<void> => {
    const edge = await startEdge(
      EdgeConfig.parse({
        listenHost: '127.0.0.1',
        httpPort: 0,
        dataDir: await tempFolder(closer),
        tokensFile: join(folder, 'tokens.json'),
        certificate,
        certificateKey,
      }),
      { log: silentLog },
    )
    closer.use(edge)
  }
  await writeFile(join(folder, 'tokens.json'), '{}')
  await place(folder, 'a', ['a.localhost'])
  await place(folder, 'b', ['b.localhost'])
  await place(folder, 'nameless', [])
  await writeFile(join(folder, 'text.pem'), 'no certificate')
  const [a, aKey, bKey] = ['a.pem', 'a.key', 'b.key'].map((file) => join(folder, file))
  assert.ok(a && aKey && bKey)
  const missing = join(folder, 'missing.pem')
  const text = join(folder, 'text.pem')
  const nameless = join(folder, 'nameless.pem')
  for (const [certificate, key, words] of [
    [missing, aKey, `${missing} cannot be read: it is not there`],
    [text, aKey, `${text} is not a certificate in PEM`],
    [a, text, `${text} is not a private key in PEM`],
    [a, bKey, `${bKey} is not the key of ${a}`],
    [nameless, join(folder, 'nameless.key'), `${nameless} names no host`],
    [a, undefined, `${a} is one certificate: say where its key is`],
    [await tempFolder(closer), undefined, 'has no certificate with a key'],
  ] as const)
    await assert.rejects(start(certificate, key), (error: Error) => error.message.includes(words), words)
})

test('curl speaks HTTP/2 to the edge, with TLS and with prior knowledge', async (t) => {
  const run = promisify(execFile)
  const version = await run('curl', ['--version']).catch(() => undefined)
  if (!version?.stdout.includes('HTTP2')) {
    if (process.env.CI === 'true') throw new Error('a curl that knows HTTP/2 is not installed')
    t.skip('curl is not installed, or does not know HTTP/2: apt-get install curl')
    return
  }
  await using closer = new AsyncDisposableStack()
  const { edge } = await securedEdge(closer)
  const curl = async (scheme: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run('curl', [
      '--silent',
      '--show-error',
      '--noproxy',
      '*',
      '--connect-to',
      `::127.0.0.1:${edge.httpPort}`,
      '--write-out',
      ' (visitor: %{http_version})',
      ...args,
      `${scheme}://web.acme.localhost/`,
    ])
    return stdout
  }
  const told = (scheme: string, version: string): string =>
    `web.acme.localhost by ${scheme}, HTTP/1.1 (visitor: ${version})`
  assert.equal(await curl('https', '--insecure', '--http2'), told('https', '2'))
  assert.equal(await curl('https', '--insecure', '--http1.1'), told('https', '1.1'))
  assert.equal(await curl('http', '--http2-prior-knowledge'), told('http', '2'))
  assert.equal(await curl('http', '--http2'), told('http', '1.1'))
})

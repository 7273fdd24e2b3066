import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import * as http from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect } from 'node:tls'
import { silentLog } from '../lib/log.ts'
import {
  acceptLinks,
  dialLink,
  type LinkAcceptor,
  LinkError,
  type LinkIdentity,
  listenShared,
  loadIdentity,
  tlsDialler,
} from './index.ts'
import { testEvents } from './testing/pairs.ts'
import { rawConnection, untilEnd } from './testing/sockets.ts'

describe('a shared port', () => {
  it('takes TLS for a link and anything else for HTTP, at the same time', async () => {
    await using shared = await openShared()
    const [link, answer] = await Promise.all([
      dialLink({
        dialler: tlsDialler({ host: '127.0.0.1', port: shared.port, pin: shared.identity.pin }),
        hello: 1,
        events: testEvents().events,
      }),
      fetch(`http://127.0.0.1:${shared.port}/page`, { headers: { connection: 'close' } }).then((response) =>
        response.text(),
      ),
    ])
    assert.equal(link.greeting, 'welcome')
    assert.equal(answer, 'plain /page')
    link.close('done')
  })

  it('hands over a connection that stays silent, untouched, as a browser makes ahead of its request', async () => {
    const handedOver = Promise.withResolvers<void>()
    await using shared = await openShared({ peekMs: 1, onHandOver: () => handedOver.resolve() })
    const socket = await rawConnection(shared.port)
    await handedOver.promise
    const answer = untilEnd(socket)
    socket.write('GET /late HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    assert.match((await answer).toString(), /plain \/late$/)
  })

  it('does not lose a first byte that comes alone', async () => {
    await using shared = await openShared()
    const socket = await rawConnection(shared.port)
    socket.setNoDelay(true)
    const answer = untilEnd(socket)
    for (const piece of ['G', 'E', 'T /bytes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n']) {
      await new Promise((written) => socket.write(piece, written))
    }
    assert.match((await answer).toString(), /plain \/bytes$/)
  })

  it('closes a connection that ends before it says anything', async () => {
    await using shared = await openShared()
    const socket = await rawConnection(shared.port)
    socket.end()
    assert.equal((await untilEnd(socket)).length, 0)
  })

  it('drops a connection whose TLS is garbage, and a link that does not finish its handshake in time', async () => {
    await using shared = await openShared({ helloMs: 20 })
    for (const bytes of [Buffer.concat([Buffer.of(0x16), Buffer.alloc(100, 7)]), Buffer.of(0x16)]) {
      const socket = await rawConnection(shared.port)
      socket.write(bytes)
      await untilEnd(socket)
    }
    assert.equal(shared.acceptor.links.size, 0)
  })

  it('drops a TLS client that speaks something else than the link', async () => {
    await using shared = await openShared()
    const socket = connect({ host: '127.0.0.1', port: shared.port, rejectUnauthorized: false })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    assert.equal((await untilEnd(socket)).length, 0)
  })

  it('refuses TLS below 1.3, and a protocol it does not know', async () => {
    await using shared = await openShared()
    for (const options of [{ maxVersion: 'TLSv1.2' as const }, { ALPNProtocols: ['h2'] }]) {
      const socket = connect({ host: '127.0.0.1', port: shared.port, rejectUnauthorized: false, ...options })
      const [error] = await once(socket, 'error')
      assert.match(String(error), /alert/)
    }
  })
})

describe('a dialler', () => {
  it('refuses a certificate that is not the pinned one, before it says anything', async () => {
    let greeted = 0
    await using shared = await openShared({ onGreet: () => greeted++ })
    const dialler = tlsDialler({ host: '127.0.0.1', port: shared.port, pin: Buffer.alloc(32).toString('base64url') })
    await assert.rejects(dialLink({ dialler, hello: 'my token', events: testEvents().events }), (error) => {
      assert.ok(error instanceof LinkError)
      assert.equal(error.code, 'refused')
      assert.match(error.message, /certificate of 127\.0\.0\.1:\d+ is not the pinned one/)
      return true
    })
    assert.equal(greeted, 0)
  })

  it('refuses a pin that is cut short or empty', async () => {
    await using shared = await openShared()
    for (const pin of ['', shared.identity.pin.slice(0, 20)]) {
      const dialler = tlsDialler({ host: '127.0.0.1', port: shared.port, pin })
      await assert.rejects(dialLink({ dialler, hello: 1, events: testEvents().events }), { code: 'refused' })
    }
  })
})

describe('an identity', () => {
  it('is made once and stays the same', async () => {
    await using folder = await temporaryFolder()
    const first = await loadIdentity(folder.path)
    const second = await loadIdentity(folder.path)
    assert.deepEqual(
      [second.pin, second.certificate, second.key.reveal()],
      [first.pin, first.certificate, first.key.reveal()],
    )
    assert.equal(`${JSON.stringify(first)}${first.key}`.includes('PRIVATE'), false)
    for (const name of ['key.pem', 'certificate.pem'])
      assert.equal((await stat(join(folder.path, name))).mode & 0o777, 0o600)
  })

  it('is one and the same when many start at once', async () => {
    await using folder = await temporaryFolder()
    const identities = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(folder.path)))
    assert.equal(new Set(identities.map(({ pin }) => pin)).size, 1)
    assert.equal(new Set(identities.map(({ key }) => key.reveal())).size, 1)
  })

  it('gets a new certificate, and keeps its pin, when the certificate is damaged', async () => {
    await using folder = await temporaryFolder()
    const { pin, certificate } = await loadIdentity(folder.path)
    await writeFile(join(folder.path, 'certificate.pem'), certificate.slice(0, 100))
    assert.equal((await loadIdentity(folder.path)).pin, pin)
    assert.match(await readFile(join(folder.path, 'certificate.pem'), 'utf8'), /END CERTIFICATE/)
  })

  it('is not replaced when its key is damaged: that would change the pin behind everyone’s back', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'key.pem'), 'damaged')
    await assert.rejects(loadIdentity(folder.path))
    assert.equal(await readFile(join(folder.path, 'key.pem'), 'utf8'), 'damaged')
  })
})

interface Shared extends AsyncDisposable {
  port: number
  identity: LinkIdentity
  acceptor: LinkAcceptor
}

async function openShared(
  o: { peekMs?: number; helloMs?: number; onHandOver?(): void; onGreet?(): void } = {},
): Promise<Shared> {
  await using cleanup = new AsyncDisposableStack()
  const folder = cleanup.use(await temporaryFolder())
  const identity = await loadIdentity(folder.path)
  const web = http.createServer((request, response) => response.end(`plain ${request.url}`))
  cleanup.defer(() => web.closeAllConnections())
  const greet = async () => {
    o.onGreet?.()
    return { welcome: 'welcome', events: testEvents().events }
  }
  const acceptor = cleanup.use(acceptLinks({ greet, log: silentLog, limits: o.helloMs ? { helloMs: o.helloMs } : {} }))
  const onPlain = (socket: Socket): void => {
    web.emit('connection', socket)
    o.onHandOver?.()
  }
  const shared = cleanup.use(
    await listenShared({
      host: '127.0.0.1',
      port: 0,
      identity,
      acceptor,
      onPlain,
      log: silentLog,
      ...(o.peekMs ? { peekMs: o.peekMs } : {}),
    }),
  )
  const keep = cleanup.move()
  return { port: shared.port, identity, acceptor, [Symbol.asyncDispose]: () => keep.disposeAsync() }
}

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'link-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AgentEvent, startAgent } from '../../src/agent/index.ts'
import { EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { rawVisitor, tcpService, tempFolder } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { reservePort } from '../ports.ts'
import { addMember, eventually, startAcme } from '../world/panel.ts'

test('a suspended workspace loses its tunnels and visitors, and the same agent serves again once it is let back (S19)', async () => {
  await using closer = new AsyncDisposableStack()
  const folder = await tempFolder(closer)
  const world = closer.use(await startAcme({ kind: 'sqlite', file: `${folder}/panel.db` }))
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const reply = await fetch(`${world.api}/tokens`, {
    method: 'POST',
    headers: { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' },
  })
  const { token } = (await reply.json()) as { token: string }

  const { credential } = await world.panel.registerLocalEdge('edge')
  const port = await reservePort()
  const edge = closer.use(
    await startEdge(
      EdgeConfig.parse({
        listenHost: '127.0.0.1',
        httpPort: 0,
        dataDir: `${folder}/edge`,
        panels: [{ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }],
        credential,
        ports: { first: port, last: port },
      }),
      { log: silentLog },
    ),
  )
  const service = await tcpService(closer, (socket) => socket.pipe(socket))
  const events: AgentEvent[] = []
  closer.use(
    startAgent({
      edges: [{ host: '127.0.0.1', port: edge.httpPort, pin: edge.pin }],
      credential: () => new Secret(token),
      tunnels: [{ id: 'game', request: { kind: 'tcp', name: 'game' }, target: { host: '127.0.0.1', port: service } }],
      log: silentLog,
      onEvent: (event) => events.push(event),
    }),
  )
  const urls = (): string[] => events.flatMap((event) => (event.type === 'opened' ? [event.url] : []))
  await eventually(() => urls().length === 1, 'the tunnel is open')
  const visitor = await rawVisitor(closer, port)
  visitor.socket.write('hello')
  await visitor.until('hello')

  const suspend = (suspended: boolean) => world.acme.putWorkspacePlan({ params: { slug: 'bobs' }, body: { suspended } })
  await suspend(true)
  await visitor.all
  const refusal = await eventually(
    () => events.find((event) => event.type === 'down' && event.code === 'later'),
    'the agent is told that it is for now',
  )
  assert.ok(refusal.type === 'down' && /bobs is suspended/.test(refusal.reason), JSON.stringify(refusal))
  assert.equal(urls().length, 1)
  await suspend(false)
  await eventually(() => urls().length === 2, 'the tunnel is open again')
  assert.equal(urls()[0], urls()[1])
  const back = await rawVisitor(closer, port)
  back.socket.write('again')
  await back.until('again')
})

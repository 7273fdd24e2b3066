import assert from 'node:assert/strict'
import { createServer, get, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { startAgent } from '../../src/agent/index.ts'
import { tempFolder } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { patienceMs } from '../patience.ts'
import { reservePorts } from '../ports.ts'
import { eventually, startAcme } from '../world/panel.ts'
import { type Command, startCommand } from '../world/pharos-command.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

/** What a visitor gets: the body of an answer that came whole. */
function ask(port: number, path: string, onPart?: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, headers: { host: 'web.acme.localhost' }, agent: false }
    const request = get(options, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (part) => {
        body += part
        onPart?.()
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body)
        else reject(new Error(`${response.statusCode} ${body}`))
      })
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

test('an edge that gets SIGTERM hands its visitors over: new ones find the other edge, running ones finish, nobody is refused', {
  timeout: 4 * patienceMs,
}, async () => {
  await using closer = new AsyncDisposableStack()
  const folder = await tempFolder(closer)
  const world = closer.use(await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }))
  const edge = async (name: string): Promise<Command> => {
    const { credential } = await world.panel.registerLocalEdge(name)
    const { first, last } = await reservePorts(2)
    const running = startCommand(
      main,
      folder,
      join(folder, name),
      [
        'edge',
        ...['--edge-panels', `127.0.0.1:${world.panel.port}#${world.panel.pin}`, '--edge-listen-host', '127.0.0.1'],
        ...['--edge-http-port', '0', '--edge-minecraft-port', '0', '--edge-ports', `${first}-${last}`],
      ],
      { env: { PHAROS_EDGE_CREDENTIAL: credential.reveal() } },
    )
    closer.defer(() => void running.child.kill('SIGKILL'))
    await running.says(/Edge up/)
    return running
  }
  const [leaving] = [await edge('leaving'), await edge('staying')]
  // A key may ask the panel three times a second.
  let asked = { at: Number.NEGATIVE_INFINITY, reply: world.acme.edges() }
  const listed = async () => {
    if (performance.now() - asked.at > 500) asked = { at: performance.now(), reply: world.acme.edges() }
    return (await asked.reply).edges.filter(({ online }) => online)
  }
  await eventually(async () => (await listed()).length === 2, 'both edges are linked')
  const edges = await listed()
  const [leavingAt, stayingAt] = edges

  const slow: ServerResponse[] = []
  const service = createServer((request, response) => {
    if (request.url !== '/slow') return response.end('hello')
    response.write('begun,')
    slow.push(response)
    return undefined
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    service.closeAllConnections()
    service.close()
  })
  let open = 0
  closer.use(
    startAgent({
      edges: edges.map(({ host, port, pin }) => ({ host, port, pin })),
      credential: () => new Secret(world.key),
      tunnels: [
        {
          id: 'web',
          request: { kind: 'http', name: 'web' },
          target: { host: '127.0.0.1', port: (service.address() as AddressInfo).port },
        },
      ],
      followEdges: true,
      log: silentLog,
      onEvent: (event) => {
        if (event.type === 'opened') open++
      },
    }),
  )
  await eventually(() => open === 2, 'the tunnel is open on both')
  assert.ok(leavingAt && stayingAt)
  const begun = Promise.withResolvers<void>()
  const running = ask(leavingAt.port, '/slow', begun.resolve)
  await begun.promise

  // From here on somebody asks all the time, where the panel says.
  let answered = 0
  let ended = false
  const asking = (async () => {
    while (!ended) {
      const [at] = await listed()
      assert.equal(await ask(at?.port ?? assert.fail('no edge is listed'), '/'), 'hello')
      answered++
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  leaving.child.kill('SIGTERM')
  await eventually(async () => (await listed()).length === 1, 'the draining edge is not listed')
  assert.deepEqual(
    (await listed()).map(({ id }) => id),
    [stayingAt.id],
  )
  assert.equal(await ask(leavingAt.port, '/'), 'hello', 'whoever comes all the same is served')
  const before = answered
  await eventually(() => answered > before + 2, 'new visitors are served by the other one')
  slow[0]?.end('finished')
  assert.equal(await running, 'begun,finished')
  assert.equal(await leaving.ended, 0)
  assert.equal(await ask(stayingAt.port, '/'), 'hello')
  ended = true
  await asking
})

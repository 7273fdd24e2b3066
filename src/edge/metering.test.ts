import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { firstLine } from '../../test/children.ts'
import { reservePort } from '../../test/ports.ts'
import type { TunnelGrant, UsageReport } from '../contract/edge.ts'
import { systemClock } from '../lib/clock.ts'
import { silentLog } from '../lib/log.ts'
import type { ControlPlane } from './control-plane.ts'
import { Counters } from './counters.ts'
import type { Edge } from './edge.ts'
import { acmeToken, eventually, handAgent, rawVisitor, tempFolder, testEdge } from './testing/world.ts'

/** A control plane that keeps reports as a panel does: the largest of each. */
function meteringPlane(take: (report: UsageReport) => { rejected: string[] }): () => Promise<ControlPlane> {
  return async () => ({
    verify: async () => ({ kind: 'key', keyId: 'k', workspaceId: 'acme', slug: 'acme' }),
    claim: async (_, request): Promise<TunnelGrant> => {
      const name = request.kind === 'allocation' ? request.allocation : request.name
      return request.kind === 'tcp'
        ? {
            tunnelId: name,
            workspaceId: 'acme',
            name,
            entrances: [{ kind: 'tcp', port: request.port ?? 0, ports: 1 }],
            url: `tcp://127.0.0.1:${request.port}`,
          }
        : {
            tunnelId: name,
            workspaceId: 'acme',
            name,
            entrances: [{ kind: 'http', hosts: [`${name}.acme.localhost`] }],
            url: 'http://x',
          }
    },
    report: async (report) => take(report),
    reportOpen: async () => undefined,
    drain: async () => undefined,
    async [Symbol.asyncDispose]() {},
  })
}

test('counts exactly what visitors sent and received, and repeats a report until it is taken', async () => {
  await using closer = new AsyncDisposableStack()
  const reports: UsageReport[] = []
  let refusals = 3
  const edge = await testEdge(
    closer,
    {},
    {
      reportEveryMs: 20,
      controlPlane: meteringPlane((report) => {
        reports.push(report)
        if (refusals-- > 0) throw new Error('the panel is away')
        return { rejected: [] }
      }),
    },
  )
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    if ((head as { protocol: string }).protocol === 'http') {
      stream.resume()
      stream.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc')
    } else {
      stream.on('data', (part) => stream.write(Buffer.concat([part, part])))
      stream.on('end', () => stream.end())
    }
  })
  const port = await reservePort()
  await agent.open({ kind: 'tcp', name: 'game', port })
  await agent.open({ kind: 'http', name: 'web' })
  const player = await rawVisitor(closer, port)
  player.socket.write(Buffer.alloc(100_000))
  await player.until(200_000)
  const request = 'GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nX-Forwarded-For: 1.1.1.1\r\nConnection: close\r\n\r\n'
  const web = await rawVisitor(closer, edge.httpPort)
  web.socket.write(request)
  const received = (await web.all).length
  await eventually(() => reports.length > 3 && reports.at(-1) !== undefined && refusals < 0, 'a report is taken')
  player.socket.end(Buffer.alloc(7))
  await player.all
  await edge[Symbol.asyncDispose]()
  const kept = new Map<string, UsageReport['counters'][number]>()
  for (const report of reports.slice(3)) for (const counter of report.counters) kept.set(counter.tunnelId, counter)
  const { bytesIn, bytesOut, connections, requests } = kept.get('game') ?? assert.fail('no counter')
  assert.deepEqual(
    { bytesIn, bytesOut, connections, requests },
    { bytesIn: 100_007, bytesOut: 200_014, connections: 1, requests: 0 },
  )
  const http = kept.get('web') ?? assert.fail('no counter')
  assert.deepEqual([http.bytesIn, http.bytesOut, http.connections, http.requests], [request.length, received, 1, 1])
  assert.equal(reports[0]?.peaks[0]?.peakTunnels !== undefined, true)
  assert.equal(Math.max(...reports.flatMap(({ peaks }) => peaks.map(({ peakTunnels }) => peakTunnels))), 2)
  assert.equal(new Set(reports.map(({ epoch }) => epoch)).size, 1)
})

test('a connection that lives long is reported while it lives, with every byte so far', async () => {
  await using closer = new AsyncDisposableStack()
  const reports: UsageReport[] = []
  const take = (report: UsageReport): { rejected: string[] } => {
    reports.push(report)
    return { rejected: [] }
  }
  const edge = await testEdge(closer, {}, { reportEveryMs: 10, controlPlane: meteringPlane(take) })
  const agent = await handAgent(closer, edge, acmeToken, (stream) => {
    stream.on('data', (part) => stream.write(part))
  })
  const port = await reservePort()
  await agent.open({ kind: 'tcp', name: 'game', port })
  const player = await rawVisitor(closer, port)
  for (const sent of [1_000, 2_000, 3_000]) {
    player.socket.write(Buffer.alloc(1_000))
    await player.until(sent)
    await eventually(() => {
      const last = reports.flatMap(({ counters }) => counters).findLast(({ tunnelId }) => tunnelId === 'game')
      return last?.bytesIn === sent && last.bytesOut === sent && last.connections === 1
    }, `${sent} bytes are reported`)
    assert.equal(player.socket.closed, false)
  }
})

test('counters that the panel refuses for good are not sent for ever', async () => {
  await using closer = new AsyncDisposableStack()
  let sent = 0
  const edge = await testEdge(
    closer,
    {},
    {
      reportEveryMs: 10,
      controlPlane: meteringPlane(({ counters }) => {
        sent += counters.length
        return { rejected: counters.map(({ tunnelId }) => tunnelId) }
      }),
    },
  )
  const agent = await handAgent(closer, edge, acmeToken, (stream) => stream.end('x'))
  const port = await reservePort()
  await agent.open({ kind: 'tcp', name: 'game', port })
  await (await rawVisitor(closer, port)).all
  await eventually(() => sent > 0, 'it is reported once')
  const before = sent
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.ok(sent - before <= 1, `${sent - before} more reports`)
  await edge[Symbol.asyncDispose]()
})

test('an edge killed with -9 under traffic has counted every byte that visitors received, and goes on counting', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await tempFolder(closer)
  const tokensFile = join(dataDir, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [acmeToken]: 'acme' }))
  const httpPort = await reservePort()
  const tcp = await reservePort()
  const config = { listenHost: '127.0.0.1', httpPort, dataDir, tokensFile, ports: { first: tcp, last: tcp } }
  let [received, delivered, reached] = [0, 0, 0]
  for (let round = 0; round < 3; round++) {
    const { child, edge } = await edgeProcess(closer, config)
    // Echoes; counts what has come out at the agent.
    const agent = await handAgent(closer, edge, acmeToken, (stream) => {
      stream.on('data', (part: Buffer) => {
        reached += part.length
        stream.write(part)
      })
    })
    await agent.open({ kind: 'tcp', name: 'game' })
    const visitors = await Promise.all(Array.from({ length: 4 }, () => rawVisitor(closer, tcp)))
    const before = delivered
    for (const [index, { socket }] of visitors.entries()) {
      const write = (): void => {
        if (socket.writable) socket.write(Buffer.alloc(index % 2 === 0 ? 300 : 30_000), () => setImmediate(write))
      }
      socket.on('data', (part) => {
        delivered += part.length
      })
      write()
    }
    await eventually(() => delivered - before > 3_000_000, 'traffic flows')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await Promise.all(visitors.map(({ all }) => all))
    await agent.link.closed
    received = delivered
  }
  const counters = closer.use(new Counters(join(dataDir, 'usage.counters'), { clock: systemClock, log: silentLog }))
  const [game] = counters.unreported(10).counters
  assert.ok(game)
  assert.ok(game.bytesOut >= received, `counted ${game.bytesOut}, received ${received}`)
  assert.ok(game.bytesIn >= reached, `counted ${game.bytesIn}, reached the agent ${reached}`)
  // What was on its way when it was killed: buffers of sockets and of the link, not megabytes of somebody's money.
  assert.ok(
    game.bytesOut - received < 3 * 4 * 2_000_000,
    `${game.bytesOut - received} bytes were counted and never received`,
  )
  assert.equal(game.connections, 12)
})

async function edgeProcess(closer: AsyncDisposableStack, config: object): Promise<{ child: ChildProcess; edge: Edge }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing', 'edge-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  closer.defer(() => {
    child.kill('SIGKILL')
  })
  child.stdin.end(JSON.stringify(config))
  const { httpPort, pin } = JSON.parse(await firstLine(child)) as { httpPort: number; pin: string }
  const edge = { httpPort, minecraftPort: null, pin, host: '127.0.0.1', ready: true, drain: async () => undefined }
  return { child, edge: { ...edge, async [Symbol.asyncDispose]() {} } }
}

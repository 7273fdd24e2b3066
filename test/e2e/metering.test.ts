import assert from 'node:assert/strict'
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startAgent } from '../../src/agent/index.ts'
import { createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import { Counters } from '../../src/edge/counters.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { firstLine, firstMessage } from '../children.ts'
import { reservePort, reservePorts } from '../ports.ts'
import { eventually, startAcme } from '../world/panel.ts'

/**
 * Usage under `kill -9`: a panel and an edge, each a process of its own, an agent, services, and visitors who count for themselves. Each
 * visitor has one message on its way at most, so what an edge that is killed may have counted and not delivered is one message of each.
 */

const root = join(import.meta.dirname, '../..')
const visitorsOfEach = 4
const messageBytes = 4_096
const question = 'GET /some/page HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n'
const page = `HTTP/1.1 200 OK\r\nContent-Length: ${messageBytes}\r\nConnection: close\r\n\r\n${'p'.repeat(messageBytes)}`
/** A datagram without an answer is sent again after this, ms: most are lost because there is no edge at the moment. */
const askAgainMs = 100
/** A visitor that finds nobody comes again after this, ms. */
const comeAgainMs = 20

test('usage survives kill -9 of edge, panel and both under HTTP, TCP and UDP: what was delivered is counted, and nothing twice', async () => {
  await using closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'metering-test-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const database = { kind: 'sqlite', file: join(folder, 'panel.db') } as const
  const panelPort = await reservePort()
  const httpPort = await reservePort()
  const ports = await reservePorts(2)

  const founded = await startAcme(database, { folder })
  const { key } = founded
  const { credential } = await founded.panel.registerLocalEdge('edge')
  const { pin: panelPin } = founded.panel
  await founded[Symbol.asyncDispose]()

  const startPanel = async (): Promise<ChildProcess> => {
    const child = fork(join(root, 'test/world/panel-process.ts'), { stdio: 'inherit' })
    closer.defer(() => {
      child.kill('SIGKILL')
    })
    child.send({ port: panelPort, dataDir: folder, templatesDir: join(folder, 'templates'), database })
    await firstMessage(child)
    return child
  }
  const edgeDir = join(folder, 'edge')
  let edgePin = ''
  const startEdge = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [join(root, 'src/edge/testing/edge-process.ts')], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    closer.defer(() => {
      child.kill('SIGKILL')
    })
    const panels = [{ host: '127.0.0.1', port: panelPort, pin: panelPin }]
    child.stdin.end(
      JSON.stringify({
        listenHost: '127.0.0.1',
        httpPort,
        dataDir: edgeDir,
        ports,
        panels,
        credential: credential.reveal(),
      }),
    )
    edgePin = (JSON.parse(await firstLine(child)) as { pin: string }).pin
    return child
  }
  const kill = async (...children: ChildProcess[]): Promise<void> => {
    const gone = children.map((child) => once(child, 'exit'))
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(gone)
  }

  let panel = await startPanel()
  let edge = await startEdge()
  const services = await startServices(closer)
  closer.use(
    startAgent({
      edges: [{ host: '127.0.0.1', port: httpPort, pin: edgePin }],
      credential: () => new Secret(key),
      tunnels: [
        { id: 'web', request: { kind: 'http', name: 'web' }, target: services.web.target },
        { id: 'game', request: { kind: 'tcp', name: 'game', port: ports.first }, target: services.game.target },
        { id: 'voice', request: { kind: 'udp', name: 'voice', port: ports.last }, target: services.voice.target },
      ],
      log: silentLog,
      retry: { firstMs: 50, mostMs: 500 },
    }),
  )
  const stop = new AbortController()
  closer.defer(() => stop.abort())
  const visitors = {
    web: webVisitors(httpPort, stop.signal),
    game: gameVisitors(ports.first, stop.signal),
    voice: voiceVisitors(ports.last, stop.signal),
  }
  const progress = async (what: string): Promise<void> => {
    const goals = Object.values(visitors).map(({ counts }) => ({ counts, goal: counts.answers + 50 }))
    await eventually(() => goals.every(({ counts, goal }) => counts.answers >= goal), `traffic ${what}`)
  }

  await progress('at first')
  await kill(edge)
  edge = await startEdge()
  await progress('after the edge was killed')
  await kill(panel)
  await progress('while the panel is away')
  panel = await startPanel()
  await progress('after the panel was killed')
  await kill(edge, panel)
  panel = await startPanel()
  edge = await startEdge()
  await progress('after both were killed')
  stop.abort()
  await Promise.all(Object.values(visitors).map(({ over }) => over))
  await kill(edge)
  const edgesKilled = 3

  const counted = countedIn(join(edgeDir, 'usage.counters'))
  edge = await startEdge()
  const acme = createClient(publicOperations, { baseUrl: `http://127.0.0.1:${panelPort}/api/v1`, token: key })
  const usage = async () =>
    (await acme.usage()).tunnels
      .map(({ name, bytesIn, bytesOut, connections, requests }) => ({
        name,
        bytesIn,
        bytesOut,
        connections,
        requests,
      }))
      .sort((left, right) => left.name.localeCompare(right.name, 'en'))
  // To the byte what the edge has on its disk: no report was lost, and none was added twice.
  let told: Awaited<ReturnType<typeof usage>> = []
  await eventually(async () => {
    told = await usage()
    return JSON.stringify(sumsOf(told)) === JSON.stringify(counted)
  }, 'everything is reported')
  const [game, voice, web] = told
  assert.ok(game && voice && web)

  const onTheirWay = edgesKilled * visitorsOfEach
  const { web: guests, game: players, voice: speakers } = visitors
  within('requests', web.requests, services.web.answered, guests.counts.sent)
  within('bytes of requests', web.bytesIn, services.web.answered * question.length, guests.counts.sentBytes)
  within('bytes of pages', web.bytesOut, guests.counts.received, services.web.answered * page.length)
  within('what came to the game', game.bytesIn, services.game.received, players.counts.sentBytes)
  within('what the game sent', game.bytesOut, players.counts.received, services.game.received)
  within('players', game.connections, services.game.visitors, players.counts.connected)
  within('what was spoken', voice.bytesIn, services.voice.received, speakers.counts.sentBytes)
  within('what was heard', voice.bytesOut, speakers.counts.received, services.voice.sentBytes)
  // Counted and not delivered: one message of each visitor for each time that the edge was killed.
  within('requests on their way', web.requests - services.web.answered, 0, onTheirWay)
  within('to the game on its way', game.bytesIn - services.game.received, 0, onTheirWay * messageBytes)
  within('from the game on its way', game.bytesOut - players.counts.received, 0, onTheirWay * messageBytes)
  within('pages on their way', web.bytesOut - guests.counts.received, 0, onTheirWay * page.length * 2)
})

function within(what: string, value: number, least: number, most: number): void {
  assert.ok(value >= least && value <= most, `${what}: ${value} is not from ${least} to ${most}`)
}

type Sums = Record<'bytesIn' | 'bytesOut' | 'connections' | 'requests', number>

/** In the order of their size, since the file knows tunnels by id and the visitors by name. */
function sumsOf(counters: readonly Sums[]): number[][] {
  return counters
    .map(({ bytesIn, bytesOut, connections, requests }) => [bytesIn, bytesOut, connections, requests])
    .sort(([left = 0], [right = 0]) => left - right)
}

/** What an edge that was killed has on its disk. */
function countedIn(path: string): number[][] {
  using counters = new Counters(path, { clock: systemClock, log: silentLog })
  const byTunnel = new Map<string, Sums>()
  for (const counter of counters.unreported(1_000).counters) {
    const sums = byTunnel.get(counter.tunnelId) ?? { bytesIn: 0, bytesOut: 0, connections: 0, requests: 0 }
    sums.bytesIn += counter.bytesIn
    sums.bytesOut += counter.bytesOut
    sums.connections += counter.connections
    sums.requests += counter.requests
    byTunnel.set(counter.tunnelId, sums)
  }
  return sumsOf([...byTunnel.values()])
}

async function startServices(closer: AsyncDisposableStack) {
  const web = { answered: 0, target: { host: '127.0.0.1', port: 0 } }
  web.target.port = await tcpServer(closer, (socket) => {
    let head = ''
    socket.on('data', (part) => {
      head += part
      if (!head.endsWith('\r\n\r\n')) return
      head = ''
      web.answered++
      socket.end(page)
    })
  })
  const game = { received: 0, visitors: 0, target: { host: '127.0.0.1', port: 0 } }
  game.target.port = await tcpServer(closer, (socket) => {
    game.visitors++
    socket.on('data', (part) => {
      game.received += part.length
      socket.write(part)
    })
    socket.on('end', () => socket.end())
  })
  const voice = { received: 0, sentBytes: 0, target: { host: '127.0.0.1', port: 0 } }
  const speaker = createSocket('udp4')
  closer.defer(() => {
    speaker.close()
  })
  speaker.on('message', (payload, from) => {
    voice.received += payload.length
    const answer = Buffer.concat([payload, payload])
    voice.sentBytes += answer.length
    speaker.send(answer, from.port, from.address)
  })
  await new Promise<void>((resolve) => speaker.bind(0, '127.0.0.1', resolve))
  voice.target.port = speaker.address().port
  return { web, game, voice }
}

async function tcpServer(closer: AsyncDisposableStack, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** What visitors count; `sent` messages, of which `answers` were answered in full. */
interface Counts {
  connected: number
  sent: number
  sentBytes: number
  received: number
  answers: number
}

/** Visitors who come again and again until the signal; `over` once each has its last answer, or knows that none comes. */
function crowd(signal: AbortSignal, visit: (counts: Counts) => Promise<void>): { counts: Counts; over: Promise<void> } {
  const counts: Counts = { connected: 0, sent: 0, sentBytes: 0, received: 0, answers: 0 }
  const one = async (): Promise<void> => {
    while (!signal.aborted) {
      const before = counts.answers
      await visit(counts)
      if (counts.answers === before) await new Promise((resolve) => setTimeout(resolve, comeAgainMs))
    }
  }
  const over = Promise.all(Array.from({ length: visitorsOfEach }, one)).then(() => undefined)
  return { counts, over }
}

/** Each page over a connection of its own. */
function webVisitors(port: number, signal: AbortSignal) {
  return crowd(signal, async (counts) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let received = 0
    socket.on('error', () => undefined)
    socket.once('connect', () => {
      counts.connected++
      counts.sent++
      counts.sentBytes += question.length
      socket.write(question)
    })
    const parts: Buffer[] = []
    socket.on('data', (part) => parts.push(part))
    await new Promise((resolve) => socket.once('close', resolve))
    const answer = Buffer.concat(parts)
    // What the edge says itself, while the agent is away, belongs to no tunnel.
    if (answer.includes('Pharos-Error')) return
    received = answer.length
    counts.received += received
    if (received > messageBytes) counts.answers++
  })
}

/** A connection that lives as long as the edge, one message after the other. */
function gameVisitors(port: number, signal: AbortSignal) {
  const message = Buffer.alloc(messageBytes, 'g')
  return crowd(signal, async (counts) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let awaited = 0
    const ask = (): void => {
      if (signal.aborted) {
        socket.end()
        return
      }
      awaited = messageBytes
      counts.sent++
      counts.sentBytes += messageBytes
      socket.write(message)
    }
    socket.on('error', () => undefined)
    socket.once('connect', () => {
      counts.connected++
      ask()
    })
    socket.on('data', (part) => {
      counts.received += part.length
      awaited -= part.length
      if (awaited > 0) return
      counts.answers++
      ask()
    })
    await new Promise((resolve) => socket.once('close', resolve))
  })
}

/** One flow each, which asks again where no answer comes. */
function voiceVisitors(port: number, signal: AbortSignal) {
  const message = Buffer.alloc(200, 'v')
  return crowd(signal, async (counts) => {
    const socket = createSocket('udp4')
    socket.on('error', () => undefined)
    await new Promise<void>((resolve) => {
      let again: NodeJS.Timeout | undefined
      const ask = (): void => {
        clearTimeout(again)
        if (signal.aborted) {
          resolve()
          return
        }
        counts.sent++
        counts.sentBytes += message.length
        socket.send(message, port, '127.0.0.1', () => undefined)
        again = setTimeout(ask, askAgainMs)
      }
      socket.on('message', (payload) => {
        counts.received += payload.length
        counts.answers++
        ask()
      })
      socket.bind(0, '127.0.0.1', ask)
    })
    socket.close()
  })
}

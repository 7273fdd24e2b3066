import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WebSocketServer } from 'ws'
import { type AgentEvent, startAgent } from '../../src/agent/index.ts'
import type { TunnelRequest } from '../../src/contract/tunnel.ts'
import { EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { tempFolder } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { reservePorts } from '../ports.ts'
import { eventually, type PanelWorldOptions, startAcme } from './panel.ts'

export interface Visited {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** What a visitor sends. */
export interface Visit {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
  /** Where the visitor comes from, on this machine. */
  from?: string
}

/** Panel, edge and agent in this process, with an HTTP service that says what it got. Everything is real but the network. */
export async function startAccessWorld(options: PanelWorldOptions = {}) {
  await using closer = new AsyncDisposableStack()
  const folder = await tempFolder(closer)
  const world = closer.use(await startAcme({ kind: 'sqlite', file: `${folder}/panel.db` }, options))
  const { credential } = await world.panel.registerLocalEdge('edge')
  const edge = closer.use(
    await startEdge(
      EdgeConfig.parse({
        listenHost: '127.0.0.1',
        httpPort: 0,
        minecraftPort: 0,
        dataDir: `${folder}/edge`,
        panels: [{ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }],
        credential,
        ports: await reservePorts(4),
        signInNetworks: ['127.0.0.0/8'],
      }),
      { log: silentLog },
    ),
  )
  const running = closer.move()
  return {
    ...world,
    edge,
    folder,
    closer: running,
    /** Opens a tunnel to a local port. Resolves to its id and its address. */
    async open(tunnel: TunnelRequest & { name: string }, port: number): Promise<{ id: string; url: string }> {
      const events: AgentEvent[] = []
      running.use(
        startAgent({
          edges: [{ host: '127.0.0.1', port: edge.httpPort, pin: edge.pin }],
          credential: () => new Secret(world.key),
          tunnels: [{ id: tunnel.name, request: tunnel, target: { host: '127.0.0.1', port } }],
          log: silentLog,
          onEvent: (event) => events.push(event),
        }),
      )
      const opened = await eventually(() => events.find((event) => event.type === 'opened'), `${tunnel.name} is open`)
      const { tunnels } = await world.acme.tunnels({})
      const id = tunnels.find(({ name }) => name === tunnel.name)?.id ?? ''
      return { id, url: opened.type === 'opened' ? opened.url : '' }
    },
    /** A local service over HTTP/1. Resolves to its port. */
    async service(
      listener: (asked: IncomingMessage, answer: ServerResponse) => void,
      sockets?: WebSocketServer,
    ): Promise<number> {
      const server = createServer(listener)
      if (sockets)
        server.on('upgrade', (asked, socket, head) => sockets.handleUpgrade(asked, socket, head, () => undefined))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      running.defer(() => {
        for (const client of sockets?.clients ?? []) client.terminate()
        server.closeAllConnections()
        server.close()
      })
      return (server.address() as AddressInfo).port
    },
    visit: (host: string, visit: Visit = {}): Promise<Visited> => visitAt(edge.httpPort, host, visit),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export type AccessWorld = Awaited<ReturnType<typeof startAccessWorld>>

/** Answers with what it got, as JSON. */
export async function echo(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const body = await text(asked)
  answer.setHeader('x-service', 'echo')
  answer.setHeader('content-type', 'application/json')
  answer.end(JSON.stringify({ method: asked.method, url: asked.url, headers: asked.headers, body }))
}

/** One request over a connection of its own; redirects are not followed. */
export function visitAt(port: number, host: string, visit: Visit = {}): Promise<Visited> {
  const { method = 'GET', path = '/', headers = {}, body, from } = visit
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: '127.0.0.1', port, method, path, agent: false },
      headers: { host: `${host}:${port}`, ...headers },
      ...(from && { localAddress: from }),
    })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      text(answer).then(
        (words) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: words }),
        reject,
      )
    })
    asked.end(body)
  })
}

/** What a browser sends along when it goes to a page. */
export const asBrowser = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate' }

export const basic = (name: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
})

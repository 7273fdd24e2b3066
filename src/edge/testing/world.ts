import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { patienceMs } from '../../../test/patience.ts'
import { reservePorts } from '../../../test/ports.ts'
import type { TunnelRequest } from '../../contract/tunnel.ts'
import { silentLog } from '../../lib/log.ts'
import { type Dialler, dialLink, type Link, LinkError, type LinkStream, tlsDialler } from '../../link/index.ts'
import { EdgeConfig, type EdgeConfigInput } from '../config.ts'
import { type Edge, type EdgeOverrides, startEdge } from '../edge.ts'

export const acmeToken = 'test-token-of-acme-0001'
export const umbrellaToken = 'test-token-of-umbrella-0001'

export async function tempFolder(closer: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-test-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface TestEdge extends Edge {
  dataDir: string
  tokensFile: string
}

/** An edge with a tokens file of two workspaces, acme and umbrella. */
export async function testEdge(
  closer: AsyncDisposableStack,
  config: Partial<EdgeConfigInput> = {},
  overrides: Partial<EdgeOverrides> = {},
): Promise<TestEdge> {
  const dataDir = config.dataDir ?? (await tempFolder(closer))
  const tokensFile = join(dataDir, 'tokens.json')
  if (config.dataDir === undefined)
    await writeFile(tokensFile, JSON.stringify({ [acmeToken]: 'acme', [umbrellaToken]: 'umbrella' }))
  const edge = await startEdge(
    EdgeConfig.parse({
      listenHost: '127.0.0.1',
      httpPort: 0,
      dataDir,
      tokensFile,
      ports: await reservePorts(8),
      ...config,
    }),
    { log: silentLog, ...overrides },
  )
  closer.use(edge)
  return { ...edge, dataDir, tokensFile, [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() }
}

export const endpointOf = (edge: Edge): { host: string; port: number; pin: string } => ({
  host: '127.0.0.1',
  port: edge.httpPort,
  pin: edge.pin,
})

/** A link to the edge that speaks the agent's part by hand. `next` resolves to the edge's messages in order. */
export interface HandAgent {
  link: Link
  next(): Promise<Record<string, unknown>>
  open(tunnel: TunnelRequest, ref?: string): Promise<Record<string, unknown>>
}

export async function handAgent(
  closer: AsyncDisposableStack,
  edge: Edge,
  token: string,
  onStream: (stream: LinkStream, head: unknown) => void = (stream) => stream.destroy(),
  dialler?: Dialler,
): Promise<HandAgent> {
  const inbox: Record<string, unknown>[] = []
  const waiting: ((message: Record<string, unknown>) => void)[] = []
  const link = await dialLink({
    dialler: dialler ?? tlsDialler(endpointOf(edge)),
    hello: { role: 'agent', version: 1, credential: token, software: 'test' },
    events: {
      onStream,
      onMessage: (message) => {
        const news = message as Record<string, unknown>
        const taker = waiting.shift()
        if (taker) taker(news)
        else inbox.push(news)
      },
    },
  })
  closer.defer(() => link.close('the test is over'))
  const next = (): Promise<Record<string, unknown>> => {
    const first = inbox.shift()
    return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve))
  }
  return {
    link,
    next,
    open(tunnel, ref = 'r') {
      link.send({ type: 'open', ref, tunnel })
      return next()
    },
  }
}

/** What an agent does with a visitor's stream; the real agent has its own tests. */
export function forwardTo(port: number): (stream: LinkStream) => void {
  return (stream) => {
    const service = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    service.on('error', () => stream.destroy(new LinkError('unreachable', 'nothing there')))
    stream.on('error', () => service.destroy())
    stream.on('close', () => service.destroy())
    stream.pipe(service)
    service.pipe(stream)
  }
}

/** A local HTTP service. */
export async function httpService(closer: AsyncDisposableStack, listener: RequestListener): Promise<number> {
  const server = createHttpServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A local TCP service. */
export async function tcpService(closer: AsyncDisposableStack, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
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

/** A raw visitor. `all` resolves to everything received until the other side ends or resets. */
export interface RawVisitor {
  socket: Socket
  received(): Buffer
  all: Promise<Buffer>
  /** Resolves once what was received contains `text`; rejects when the connection ends before. */
  until(text: string | number): Promise<string>
}

export async function rawVisitor(closer: AsyncDisposableStack, port: number): Promise<RawVisitor> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  closer.defer(() => {
    socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const chunks: Buffer[] = []
  const checks = new Set<() => void>()
  let over = false
  const received = (): Buffer => Buffer.concat(chunks)
  const all = new Promise<Buffer>((resolve) => {
    const done = (): void => {
      over = true
      resolve(received())
      for (const check of checks) check()
    }
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      for (const check of checks) check()
    })
    socket.once('end', done)
    socket.once('close', done)
    socket.on('error', () => undefined)
  })
  return {
    socket,
    received,
    all,
    until: (text) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const soFar = received()
          if (typeof text === 'number' ? soFar.length >= text : soFar.includes(text)) {
            checks.delete(check)
            resolve(soFar.toString('latin1'))
          } else if (over) {
            checks.delete(check)
            reject(new Error(`ended with ${JSON.stringify(soFar.toString('latin1').slice(0, 300))}`))
          }
        }
        checks.add(check)
        check()
      }),
  }
}

/** Polls until `condition` holds: for what has no event. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

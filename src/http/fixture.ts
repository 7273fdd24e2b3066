import { once } from 'node:events'
import net from 'node:net'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { z } from 'zod'
import { AppError, forbidden, unauthorized } from '../contract/errors.ts'
import { type Contexts, operation, type SocketChannel, socket } from '../contract/operation.ts'
import type { Log } from '../lib/log.ts'
import { type Api, type ApiOptions, createApi } from './api.ts'
import { type Gate, part, socketPart } from './part.ts'

/** For the tests of this folder: a small API of every family with a gate that knows one key. */

export interface TestContexts extends Contexts {
  account: { caller: string }
  server: { caller: string; serverId: string }
}

export const goodKey = 'Bearer good'

const Item = z.object({ id: z.string(), size: z.int().nullable() }).meta({ id: 'Item', description: 'A thing to try' })

const items = {
  item: operation({
    method: 'GET',
    path: '/items/{id}',
    family: 'panel',
    tag: 'Items',
    summary: 'Show one',
    access: 'account',
    params: z.object({ id: z.string().max(200) }),
    query: z.object({ size: z.coerce.number().int().min(1).max(1000).optional() }),
    reply: Item,
    errors: ['not_found'],
  }),
  createItem: operation({
    method: 'POST',
    path: '/items',
    family: 'panel',
    tag: 'Items',
    summary: 'Make one',
    access: 'account',
    body: z.strictObject({
      name: z.string().min(1).max(80),
      limits: z.strictObject({ memory: z.int().min(32), kind: z.enum(['small', 'large']) }),
      labels: z.array(z.string()).max(3).optional(),
      slug: z
        .string()
        .regex(/^[a-z]+$/, 'must be lower-case letters')
        .optional(),
      target: z
        .discriminatedUnion('by', [
          z.strictObject({ by: z.literal('port'), port: z.int() }),
          z.strictObject({ by: z.literal('name'), name: z.string() }),
        ])
        .optional(),
    }),
    reply: Item,
    errors: ['conflict'],
  }),
  label: operation({
    method: 'POST',
    path: '/label',
    family: 'control',
    tag: 'Items',
    summary: 'Optional body',
    access: 'account',
    body: z.strictObject({ label: z.string().max(80).optional() }).optional(),
    reply: z.object({ label: z.string().nullable() }),
    errors: ['not_found'],
  }),
  rotate: operation({
    method: 'POST',
    path: '/servers/{serverId}/rotation',
    family: 'panel',
    tag: 'Items',
    summary: 'No body',
    access: { server: 'databases.rotate' },
    params: z.object({ serverId: z.string().regex(/^[0-9a-f]{8}$/) }),
    reply: z.object({ message: z.string() }),
    errors: [],
  }),
  power: operation({
    method: 'POST',
    path: '/servers/{serverId}',
    family: 'panel',
    tag: 'Items',
    summary: 'Access by a field of the body',
    access: { server: { field: 'action', of: { start: 'control.start', kill: 'control.kill' } } },
    params: z.object({ serverId: z.string().regex(/^[0-9a-f]{8}$/) }),
    body: z.strictObject({ action: z.enum(['start', 'kill']) }),
    reply: z.object({ message: z.string() }),
    errors: [],
  }),
  fail: operation({
    method: 'GET',
    path: '/fail/{how}',
    family: 'control',
    tag: 'Items',
    summary: 'Fail in the given way',
    access: 'public',
    params: z.object({ how: z.string() }),
    reply: z.object({
      ok: z.boolean(),
      kind: z
        .discriminatedUnion('by', [
          z.strictObject({ by: z.literal('a'), a: z.int() }),
          z.strictObject({ by: z.literal('b'), b: z.string(), level: z.enum(['low', 'high']).nullable() }),
        ])
        .optional(),
    }),
    errors: ['conflict', 'not_found'],
  }),
  slow: operation({
    method: 'GET',
    path: '/slow',
    family: 'internal',
    tag: 'Items',
    summary: 'Waits',
    access: 'public',
    reply: z.object({ ok: z.boolean() }),
    errors: [],
  }),
}

export const live = {
  echo: socket({
    method: 'GET',
    path: '/servers/{serverId}/echo',
    family: 'panel',
    tag: 'Items',
    summary: 'Says what it hears',
    access: { server: 'console.read' },
    params: z.object({ serverId: z.string().regex(/^[0-9a-f]{8}$/) }),
    query: z.object({ greeting: z.string().max(20).optional() }),
    sends: z.strictObject({ text: z.string() }),
    accepts: z.strictObject({ say: z.string().max(100) }),
    errors: ['not_found'],
  }),
}

export interface TestApi extends AsyncDisposable {
  api: Api
  baseUrl: string
  port: number
  /** Every line of the log, as JSON. */
  logged: string[]
  /** What the gate was asked. */
  asked: { path: string; access: unknown; body: unknown }[]
  /** Lets the waiting `slow` requests answer. */
  release(): void
  /** Called with each new channel of `echo`. */
  onChannel: ((channel: SocketChannel<{ text: string }, { say: string }>) => void) | undefined
}

/** Starts the test API on a free port, below `/api/v1`. */
export async function startTestApi(options: Partial<ApiOptions<TestContexts>> = {}): Promise<TestApi> {
  const logged: string[] = []
  const sink = new Writable({
    write: (line, _, done) => {
      logged.push(String(line))
      done()
    },
  })
  const log: Log = pino({ level: 'debug' }, sink)
  const asked: TestApi['asked'] = []
  const released = Promise.withResolvers<void>()
  const gate: Gate<TestContexts> = {
    admit: (of, { headers, params, body, setHeader }) => {
      asked.push({ path: of.path, access: of.access, body })
      setHeader('x-ratelimit-limit', '180')
      if (of.access === 'public') return {}
      if (headers.authorization !== goodKey) throw unauthorized('This key is not known')
      if (params['serverId'] === '00000000') throw new AppError('not_found', 'Server not found')
      if (params['serverId'] === '11111111') throw forbidden('You may not do this')
      return { caller: 'tester', serverId: params['serverId'] ?? '' }
    },
  }
  const test: Pick<TestApi, 'onChannel'> = { onChannel: undefined }
  const parts = [
    part<typeof items, TestContexts>(items, {
      item: ({ params, query }) => ({ id: params.id, size: query.size ?? null, ...{ secret: 'never shown' } }),
      createItem: ({ body }) => {
        if (body.name === 'taken') throw new AppError('conflict', 'The name taken is in use. Choose another.')
        return { id: body.name, size: body.limits.memory }
      },
      label: ({ body }) => ({ label: body?.label ?? null }),
      rotate: ({ serverId }) => ({ message: `rotated ${serverId}` }),
      power: ({ body }) => ({ message: body.action }),
      fail: ({ params }) => {
        if (params.how === 'crash') throw new Error('secret path /var/lib/x')
        if (params.how === 'limited') throw new AppError('rate_limited', 'Too many', { retryAfterSeconds: 7 })
        if (params.how === 'missing') throw new AppError('not_found', 'Key not found')
        if (params.how === 'shape') return { ok: undefined as unknown as boolean, kind: { by: 'c' } as never }
        if (params.how === 'union') return { ok: true, kind: { by: 'b', b: 'text', level: null, ...{ extra: 1 } } }
        return { ok: true }
      },
      slow: async () => {
        await released.promise
        return { ok: true }
      },
    }),
    socketPart<typeof live, TestContexts>(live, {
      echo: ({ channel, query, params }) => {
        test.onChannel?.(channel)
        if (params.serverId === 'ffffffff') throw new Error('secret of the handler')
        if (query.greeting) channel.send({ text: query.greeting, ...{ secret: 'never shown' } })
        channel.onMessage(({ say }) => {
          if (say === 'bye') channel.close('bye')
          else channel.send(say === 'nonsense' ? ({} as { text: string }) : { text: say })
        })
      },
    }),
  ]
  const api = await createApi<TestContexts>({
    prefix: '/api/v1',
    parts,
    gate,
    log,
    cors: true,
    aliases: [{ from: /^\/servers\/servers(?:\/|%2f)/i, to: '/servers/' }],
    ...options,
  })
  const server = net.createServer({ allowHalfOpen: true }, (connection) => api.serve(connection)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  return Object.assign(test, {
    api,
    port,
    baseUrl: `http://127.0.0.1:${port}/api/v1`,
    logged,
    asked,
    release: () => released.resolve(),
    [Symbol.asyncDispose]: async () => {
      server.close()
      released.resolve()
      await api[Symbol.asyncDispose]()
    },
  })
}

/** Sends bytes as they are and returns everything that comes back until the other end closes. */
export async function exchangeRaw(port: number, ...bytes: (string | Buffer)[]): Promise<string> {
  const connection = net.connect({ port, host: '127.0.0.1' })
  for (const part of bytes) connection.write(part)
  const chunks: Buffer[] = []
  connection.on('data', (chunk) => chunks.push(chunk))
  connection.on('error', () => undefined)
  await once(connection, 'close')
  return Buffer.concat(chunks).toString()
}

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '../../src/client/index.ts'
import { apiPrefix, publicOperations } from '../../src/contract/api/index.ts'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { startNode } from '../../src/node/index.ts'
import { PanelConfig } from '../../src/panel/config.ts'
import { startPanel } from '../../src/panel/panel.ts'
import { reservePorts } from '../ports.ts'
import { keyOf, until } from './servers-world.ts'

export interface Reply {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look at replies as a program would that knows no schema
  data: any
  error: string
}

/** A panel with a real node, and one server on it whose files are there to be worked on. */
export async function startFilesWorld(options: { disk?: number; sftp?: boolean } = {}) {
  await using opening = new AsyncDisposableStack()
  const stack = opening.use(new AsyncDisposableStack())
  const folder = await mkdtemp(join(tmpdir(), 'pharos-files-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  let ahead = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead }
  const panel = stack.use(
    await startPanel(
      PanelConfig.parse({
        port: 0,
        dataDir: join(folder, 'panel'),
        database: { kind: 'sqlite', file: join(folder, 'panel.db') },
        templatesDir: join(import.meta.dirname, '../../templates'),
        publicUrl: undefined,
      }),
      {},
      { log: silentLog, overrides: { clock } },
    ),
  )
  const { token } = await panel.setup({
    email: 'ada@example.com',
    password: 'correct horse battery',
    workspace: { name: 'Acme', slug: 'acme' },
  })
  const baseUrl = `http://127.0.0.1:${panel.port}${apiPrefix}`
  const api: Client<typeof publicOperations> = createClient(publicOperations, {
    baseUrl,
    token: token.reveal(),
    checkReplies: true,
  })
  await api.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { joinToken } = await api.createNode({
    body: { name: 'machine', publicAddress: '127.0.0.1', ports: await reservePorts(10) },
  })
  const joining = decodeJoinToken(joinToken)
  const link = await dialLink({
    dialler: tlsDialler(joining.panel),
    hello: { role: 'join', version: 1, secret: joining.secret, software: 'test' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(link.greeting)
  link.close('joined')
  const dataDir = join(folder, 'node')
  const node = stack.use(
    await startNode(
      {
        dataDir,
        panels: [joining.panel],
        credential,
        sftp: options.sftp ? { host: '127.0.0.1', port: 0 } : null,
      },
      { log: silentLog, isReachable: (address) => address === '127.0.0.1' },
    ),
  )
  await until('the node is here', async () => (await api.nodes()).nodes.some(({ online }) => online))

  const newServer = async (disk = options.disk ?? 64) => {
    const { id } = await api.createServer({
      body: { name: 'Files', template: 'command', start: false, resources: { disk } },
    })
    const server = keyOf(id)
    stack.defer(async () => void (await api.deleteServer({ params: { serverId: server } }).catch(() => undefined)))
    await until('installed', async () => (await api.server({ params: { serverId: server } })).status === 'offline')
    return server
  }
  const server = await newServer()

  const read = async (reply: Response): Promise<Reply> => {
    const body = (await reply.json()) as { data: unknown; error: string }
    return { status: reply.status, headers: reply.headers, data: body.data, error: body.error }
  }
  const call = async (method: string, path: string, body?: unknown, of = server): Promise<Reply> =>
    read(
      await fetch(`${baseUrl}/servers/${of}/files/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token.reveal()}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    )
  opening.move()
  return {
    api,
    baseUrl,
    key: token.reveal(),
    panel,
    node,
    server,
    newServer,
    /** The server's own root on this machine. */
    root: (of = server) => join(dataDir, 'servers', of, 'data'),
    folderOf: (of = server) => join(dataDir, 'servers', of),
    folder,
    get: (path: string, query: Record<string, string> = {}, of?: string) =>
      call('GET', `${path}?${new URLSearchParams(query)}`, undefined, of),
    post: (path: string, body?: unknown, of?: string) => call('POST', path, body, of),
    put: (path: string, body?: unknown) => call('PUT', path, body),
    async ticket(directory = '/', of = server): Promise<{ jwt: string; uploadUrl: string }> {
      const { status, data, error } = await call('POST', `upload?${new URLSearchParams({ directory })}`, undefined, of)
      assert.equal(status, 200, error)
      return data
    },
    async upload(
      jwt: string,
      query: Record<string, string>,
      body: string | FormData | Uint8Array<ArrayBuffer>,
      headers: Record<string, string> = {},
      of = server,
    ): Promise<Reply> {
      return read(
        await fetch(`${baseUrl}/servers/${of}/files/upload-direct?${new URLSearchParams(query)}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${jwt}`, ...headers },
          body,
          ...{ duplex: 'half' },
        }),
      )
    },
    pass: (ms: number) => {
      ahead += ms
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
export type FilesWorld = Awaited<ReturnType<typeof startFilesWorld>>

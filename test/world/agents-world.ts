import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { FakeNode } from './fake-node.ts'
import { startAcme } from './panel.ts'

/** `2026` speaks the revision in which each request stands for itself, `2025` the one before, which has sessions. */
export type Revision = '2026' | '2025'

/** A whole panel with a node whose servers are entries in memory, and agents that use its tools. */
export async function startAgentsWorld() {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-agents-'))
  opening.defer(() => rm(folder, { recursive: true, force: true }))
  const acme = opening.use(await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }))
  await acme.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { joinToken } = await acme.acme.createNode({ body: { name: 'machine', publicAddress: '127.0.0.1' } })
  const joining = decodeJoinToken(joinToken)
  const dialler = tlsDialler(joining.panel)
  const link = await dialLink({
    dialler,
    hello: { role: 'join', version: 1, secret: joining.secret, software: 'test' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(link.greeting)
  link.close('joined')
  const node = opening.use(new FakeNode({ dialler, credential }))
  await node.connect()
  const url = new URL('/mcp', acme.api)
  const stack = opening.move()

  return {
    ...acme,
    node,
    url,
    /** Connects the official client. Whoever asks for it closes it; what is left over ends with the world. */
    async agent(key: string, revision: Revision = '2026', headers: Record<string, string> = {}) {
      const client = new Client(
        { name: 'test-agent', version: '1' },
        revision === '2026' ? { versionNegotiation: { mode: 'auto' } } : {},
      )
      const transport = new StreamableHTTPClientTransport(url, {
        requestInit: { headers: { authorization: `Bearer ${key}`, ...headers } },
      })
      await client.connect(transport)
      stack.defer(() => client.close())
      return Object.assign(client, { sessionId: () => transport.sessionId })
    },
    /** One message as a program would send it that knows no more than HTTP. */
    post(message: unknown, headers: Record<string, string> = {}): Promise<Response> {
      return fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
        body: typeof message === 'string' ? message : JSON.stringify(message),
      })
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export type AgentsWorld = Awaited<ReturnType<typeof startAgentsWorld>>

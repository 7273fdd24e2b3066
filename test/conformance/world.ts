import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '../../src/client/index.ts'
import { apiPrefix, publicOperations } from '../../src/contract/api/index.ts'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import type { ServerPermission } from '../../src/contract/permissions.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { PanelConfig } from '../../src/panel/config.ts'
import { startPanel } from '../../src/panel/panel.ts'
import { FakeNode } from '../world/fake-node.ts'

export type Api = Client<typeof publicOperations>

export interface Person {
  email: string
  key: string
  /** The `Cookie` header of a session. */
  cookie: string
  api: Api
}

const password = 'correct horse battery'
const minuteMs = 60_000

/**
 * A panel with one node, a workspace `acme` owned by Ada with a member Max, a friend who shares servers, and a foreign
 * workspace: everybody got where they are through the public API.
 */
export async function startConformanceWorld() {
  const stack = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'pharos-conformance-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  let ahead = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead }
  const panel = stack.use(
    await startPanel(
      PanelConfig.parse({
        port: 0,
        dataDir,
        database: { kind: 'sqlite', file: join(dataDir, 'panel.db') },
        templatesDir: join(import.meta.dirname, '../../templates'),
      }),
      {},
      { log: silentLog, overrides: { clock } },
    ),
  )
  const baseUrl = panel.url + apiPrefix
  const as = (key: string): Api => createClient(publicOperations, { baseUrl, token: key, checkReplies: true })
  const { token } = await panel.setup({
    email: 'operator@example.com',
    password,
    workspace: { name: 'Home', slug: 'home' },
  })
  const operator: Omit<Person, 'cookie'> = {
    email: 'operator@example.com',
    key: token.reveal(),
    api: as(token.reveal()),
  }
  const unlimited = (slug: string) =>
    operator.api.putWorkspacePlan({ params: { slug }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  await unlimited('home')

  const { joinToken } = await operator.api.createNode({
    body: { name: 'machine', publicAddress: 'play.example.org', ports: { first: 20_000, last: 29_999 } },
  })
  const { panel: endpoint, secret } = decodeJoinToken(joinToken)
  const joining = await dialLink({
    dialler: tlsDialler(endpoint),
    hello: { role: 'join', version: 1, secret, software: 'test' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(joining.greeting)
  joining.close('joined')
  const node = stack.use(new FakeNode({ dialler: tlsDialler(endpoint), credential, memoryMib: 1_000_000 }))
  await node.connect()

  /** Somebody new, invited by the operator, who signs in and makes a workspace of their own where `slug` says so. */
  const arrive = async (email: string, slug?: string): Promise<Person> => {
    const { url } = await operator.api.createInvitation({ body: { email } })
    await as('').acceptInvitation({ body: { secret: new URL(url ?? '').hash.slice(1), password } })
    return { email, ...(await keyFor(email, slug)) }
  }
  const keyFor = async (email: string, slug?: string): Promise<Omit<Person, 'email'>> => {
    const signedIn = await fetch(`${baseUrl}/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    })
    assert.equal(signedIn.status, 200, await signedIn.text())
    const headers = {
      'content-type': 'application/json',
      cookie: signedIn.headers
        .getSetCookie()
        .map((cookie) => cookie.split(';')[0])
        .join('; '),
      origin: panel.url,
      ...(slug === undefined ? {} : { 'x-pharos-workspace': slug }),
    }
    const post = async (path: string, body: unknown): Promise<{ token: string }> => {
      const reply = await fetch(baseUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
      assert.equal(reply.status, 200, `${path}: ${await reply.clone().text()}`)
      return (await reply.json()) as { token: string }
    }
    if (slug !== undefined) {
      await post('/workspaces', { name: slug, slug })
      await unlimited(slug)
    }
    const { token: key } = await post('/tokens', { label: 'test' })
    return { key, cookie: headers.cookie, api: as(key) }
  }

  const ada = await arrive('ada@example.com', 'acme')
  const zoe = await arrive('zoe@example.com', 'rival')
  const friend = await arrive('friend@example.com')
  const frozen = await arrive('frozen@example.com', 'frozen')
  const frozenServer = await frozen.api.createServer({ body: { name: 'Frozen', template: 'command', start: false } })
  await operator.api.putWorkspacePlan({ params: { slug: 'frozen' }, body: { suspended: true } })
  const revoked = await ada.api.createToken({ body: { label: 'revoked' } })
  await ada.api.revokeToken({ params: { id: revoked.id } })
  const expired = await ada.api.createToken({
    body: { label: 'expired', expiresAt: new Date(clock.now() + minuteMs).toISOString() },
  })
  ahead += 2 * minuteMs

  return {
    panel,
    baseUrl,
    node,
    ada,
    zoe,
    friend,
    frozen: { ...frozen, serverId: frozenServer.id },
    operator,
    revokedKey: revoked.token,
    expiredKey: expired.token,
    /** Lets every rate limit begin anew. */
    passMinutes: () => {
      ahead += 2 * minuteMs
    },
    server: async (): Promise<string> =>
      (await ada.api.createServer({ body: { name: 'Shared', template: 'command', start: false } })).id,
    /** The friend holds exactly these on the server from now on. */
    async share(serverId: string, permissions: ServerPermission[]) {
      const { userId } = await ada.api.createSubuser({
        params: { serverId },
        body: { userEmail: friend.email, permissions },
      })
      return userId
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export type ConformanceWorld = Awaited<ReturnType<typeof startConformanceWorld>>

/**
 * What the whole panel costs per request: an authenticated, permission-checked, rate-limited `GET /api/v1/servers/{id}` with
 * live usage, on SQLite, against a bare `node:http` reply of the same size. Goal: at least 0.5. `shared` is the same with its limits in a Redis.
 *
 *   node bench/panel.ts [rounds] [seconds per round]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../src/client/index.ts'
import { apiPrefix, publicOperations } from '../src/contract/api/index.ts'
import { decodeJoinToken } from '../src/contract/join-token.ts'
import { JoinWelcome } from '../src/contract/node.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import { dialLink, tlsDialler } from '../src/link/index.ts'
import { PanelConfig } from '../src/panel/config.ts'
import { startPanel } from '../src/panel/panel.ts'
import { TestValkey } from '../test/valkey.ts'
import { FakeNode } from '../test/world/fake-node.ts'
import { compareServers, makeLoad, reportTarget, type Target } from './http-load.ts'

/** What `GET /servers/{id}` answers here, in bytes: `panel` holds it against the real reply. */
const bodyBytes = 829

const [role, ...rest] = process.argv.slice(2)
if (role === 'bare') bare()
else if (role === 'panel') await panel()
else if (role === 'shared') await panel(await TestValkey.start('redis-server'))
else if (role === 'node') await node(rest[0] ?? '')
else if (role === 'load') await makeLoad(JSON.parse(rest[0] ?? '') as Target, Number(rest[1]), { polls: true })
else await compareServers(import.meta.filename, ['bare', 'panel', 'shared'], Number(role ?? 7), Number(rest[0] ?? 3))

/** As many bytes as the panel's reply has, from the smallest server that Node can be. */
function bare(): void {
  const body = JSON.stringify({ success: true, data: 'x'.repeat(bodyBytes - 27) })
  const server = createServer((_, response) => {
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  })
  server.listen(0, '127.0.0.1', () =>
    reportTarget({
      port: (server.address() as AddressInfo).port,
      request: 'GET /api/v1/servers/1a7ce997 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
    }),
  )
}

async function panel(valkey?: TestValkey): Promise<void> {
  countBuffersAsHeap()
  const dataDir = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  const config = PanelConfig.parse({
    port: 0,
    dataDir,
    database: { kind: 'sqlite', file: join(dataDir, 'panel.db') },
    templatesDir: join(import.meta.dirname, '../templates'),
  })
  const started = await startPanel(config, valkey ? { valkeyUrl: valkey.url() } : {}, { log: silentLog })
  const { token } = await started.setup({
    email: 'a@example.com',
    password: 'long enough',
    workspace: { name: 'Bench', slug: 'bench' },
  })
  const key = token.reveal()
  const api = createClient(publicOperations, { baseUrl: started.url + apiPrefix, token: key })
  await api.putWorkspacePlan({ params: { slug: 'bench' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { joinToken } = await api.createNode({ body: { name: 'bench', publicAddress: 'play.example.org' } })
  const machine = fork(import.meta.filename, ['node', joinToken])
  await once(machine, 'message')
  const { id } = await api.createServer({ body: { name: 'Bench', template: 'command' } })
  const path = `${apiPrefix}/servers/${id.slice('servers/'.length)}`
  const reply = await fetch(started.url + path, { headers: { authorization: `Bearer ${key}` } })
  const bytes = Buffer.byteLength(await reply.text())
  if (Math.abs(bytes - bodyBytes) > bodyBytes / 10)
    throw new Error(`The reply has ${bytes} bytes: set bodyBytes to that`)
  process.on('exit', () => machine.kill())
  process.on('exit', () => void valkey?.down())
  process.on('SIGTERM', () => {
    void rm(dataDir, { recursive: true, force: true }).then(() => process.exit())
  })
  reportTarget({
    port: started.port,
    request: `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n\r\n`,
  })
}

/** The machine's side has a process of its own, so that its work does not count as the panel's. */
async function node(joinToken: string): Promise<void> {
  const { panel: endpoint, secret } = decodeJoinToken(joinToken)
  const dialler = tlsDialler(endpoint)
  const joining = await dialLink({
    dialler,
    hello: { role: 'join', version: 1, secret, software: 'bench' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(joining.greeting)
  joining.close('joined')
  await new FakeNode({ dialler, credential }).connect()
  process.send?.('connected')
}

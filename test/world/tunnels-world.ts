import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { saveAccount } from '../../src/cli/account.ts'
import { runCli } from '../../src/cli/cli.ts'
import { EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { reservePort } from '../ports.ts'
import { startAcme } from './panel.ts'
import { type Command, startCommand } from './pharos-command.ts'

/** The product as people start it, from the sources. */
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export interface Ran {
  code: number
  data: string
  talk: string
}

/**
 * A panel and an edge in this process, whose tunnels end in `tunnels.test`, and a person who is signed in to workspace `acme` in a home of
 * their own. Whoever makes it disposes it.
 */
export async function startTunnelsWorld() {
  await using closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-tunnels-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const acme = closer.use(await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }))
  const { credential } = await acme.panel.registerLocalEdge('edge')
  const port = await reservePort()
  const edge = closer.use(
    await startEdge(
      EdgeConfig.parse({
        listenHost: '127.0.0.1',
        httpPort: 0,
        base: 'tunnels.test',
        dataDir: join(folder, 'edge'),
        panels: [{ host: '127.0.0.1', port: acme.panel.port, pin: acme.panel.pin }],
        credential,
        ports: { first: port, last: port },
      }),
      { log: silentLog },
    ),
  )
  const home = join(folder, 'home')
  const project = join(home, 'shop')
  await mkdir(project, { recursive: true })
  const url = `http://127.0.0.1:${acme.panel.port}`
  await saveAccount(join(home, '.config'), { url, key: new Secret(acme.key) })
  const running = closer.move()
  return {
    ...{ acme, edge, home, project, url },
    /** A command line that runs in this process and starts others as people would. */
    async ran(
      line: readonly string[],
      { cwd = project, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
    ): Promise<Ran> {
      const ran: Ran = { code: 0, data: '', talk: '' }
      const unused = async (): Promise<void> => undefined
      ran.code = await runCli(line, {
        env: { HOME: home, PATH: process.env.PATH, ...env },
        cwd,
        root: join(import.meta.dirname, '..', '..'),
        streams: {
          data: (text) => {
            ran.data += text
          },
          talk: (text) => {
            ran.talk += text
          },
        },
        stdin: Readable.from([]),
        self: [process.execPath, main],
        signal: new AbortController().signal,
        roles: { up: unused, panel: unused, node: unused, joinNode: unused, edge: unused },
      })
      return ran
    },
    /** A command line in a process of its own. */
    start: (line: readonly string[], cwd = project): Command =>
      startCommand(main, home, join(folder, 'none'), line, { cwd }),
    /** What a visitor of this address gets. */
    visit: (address: string, path = '/'): Promise<{ status: number; body: string }> =>
      ask(edge.httpPort, new URL(address).host, path),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export type TunnelsWorld = Awaited<ReturnType<typeof startTunnelsWorld>>

/** A request to a port of this machine under the name of any host. */
export function ask(port: number, host: string, path = '/'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: 'localhost', port, path, headers: { host }, agent: false }, (reply) => {
      let body = ''
      reply.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body }))
      reply.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}

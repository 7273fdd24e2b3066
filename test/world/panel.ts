import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { PanelConfig, type PanelConfigInput, type PanelSecrets } from '../../src/panel/config.ts'
import { type Database, type DatabaseConfig, openDatabase } from '../../src/panel/db/index.ts'
import { type Panel, startPanel } from '../../src/panel/panel.ts'
import { patienceMs } from '../patience.ts'

/** A clock that stands until the test moves it. */
export class MovableClock implements Clock {
  #now: number
  constructor(now = Date.UTC(2026, 5, 3, 10)) {
    this.#now = now
  }
  now(): number {
    return this.#now
  }
  advance(ms: number): void {
    this.#now += ms
  }
  sleep(): Promise<void> {
    return Promise.resolve()
  }
}

export interface PanelWorld extends AsyncDisposable {
  readonly panel: Panel
  readonly folder: string
  /** `http://127.0.0.1:…/api/v1` */
  readonly api: string
  /** A second connection to the panel's database, for what no operation does: suspending a workspace, looking at rows. */
  readonly database: Database
  client(token?: string): Client<typeof publicOperations>
}

export interface PanelWorldOptions {
  clock?: Clock
  log?: Log
  config?: Partial<PanelConfigInput>
  secrets?: PanelSecrets
  /** An earlier world's folder, to start again on its data. */
  folder?: string
  /** Another panel of the same installation: this one gets its key of secrets, as operators copy it. */
  beside?: PanelWorld
}

/** The one kind of server that the worlds of these tests have. */
const plainTemplate = {
  id: 'plain',
  name: 'Plain',
  summary: 'A program',
  protocols: ['tcp'],
  resources: { memory: 256, disk: 256, cpu: 1 },
  start: { command: ['true'] },
  stop: { by: 'command', command: 'stop' },
}

/** A whole panel on a free port and a folder of its own. */
export async function startPanelWorld(
  databaseConfig: DatabaseConfig,
  options: PanelWorldOptions = {},
): Promise<PanelWorld> {
  await using closer = new AsyncDisposableStack()
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'pharos-panel-')))
  if (options.folder === undefined) closer.defer(() => rm(folder, { recursive: true, force: true }))
  if (options.beside) await copyFile(join(options.beside.folder, 'secrets.key'), join(folder, 'secrets.key'))
  const templatesDir = join(folder, 'templates')
  await mkdir(join(templatesDir, plainTemplate.id), { recursive: true })
  // YAML contains JSON.
  await writeFile(join(templatesDir, plainTemplate.id, 'template.yaml'), JSON.stringify(plainTemplate))
  const config = PanelConfig.parse({
    port: 0,
    dataDir: folder,
    templatesDir,
    database: databaseConfig.kind === 'sqlite' ? { kind: 'sqlite', file: databaseConfig.file } : { kind: 'postgres' },
    ...options.config,
  })
  const secrets = {
    ...options.secrets,
    ...(databaseConfig.kind === 'postgres' ? { databaseUrl: databaseConfig.url } : {}),
  }
  const panel = closer.use(
    await startPanel(config, secrets, {
      log: options.log ?? silentLog,
      overrides: options.clock ? { clock: options.clock } : {},
    }),
  )
  const database = closer.use(await openDatabase(databaseConfig, silentLog))
  const api = `http://127.0.0.1:${panel.port}/api/v1`
  const running = closer.move()
  return {
    panel,
    folder,
    api,
    database,
    client: (token) =>
      createClient(publicOperations, { baseUrl: api, checkReplies: true, ...(token === undefined ? {} : { token }) }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export const owner = {
  email: 'ada@example.com',
  password: 'correct horse battery',
  name: 'Ada',
  workspace: { name: 'Acme Inc', slug: 'acme' },
} as const

/** A panel that is set up, with its owner's key. */
export async function startAcme(databaseConfig: DatabaseConfig, options: PanelWorldOptions = {}) {
  const world = await startPanelWorld(databaseConfig, options)
  try {
    const { account, token } = await world.panel.setup(owner)
    const key = token.reveal()
    return { ...world, [Symbol.asyncDispose]: world[Symbol.asyncDispose], key, account, acme: world.client(key) }
  } catch (error) {
    await world[Symbol.asyncDispose]()
    throw error
  }
}

/** Signs in as a browser does and returns the `Cookie` header. */
export async function signIn(api: string, email: string, password: string): Promise<string> {
  const reply = await fetch(`${api}/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  })
  if (reply.status !== 200) throw new Error(`sign-in answered ${reply.status}: ${await reply.text()}`)
  return (reply.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

/** Lets somebody into the owner's workspace and returns a key of theirs. */
export async function addMember(
  world: {
    api: string
    acme: Client<typeof publicOperations>
    client(token?: string): Client<typeof publicOperations>
  },
  email: string,
  role: 'owner' | 'admin' | 'member' = 'member',
): Promise<{ userId: string; key: string; cookie: string }> {
  const { url } = await world.acme.createInvitation({ body: { email, role } })
  const secret = url?.slice(url.indexOf('#') + 1) ?? ''
  const password = `${email} has a password`
  const { id } = await world.client().acceptInvitation({ body: { secret, password } })
  const cookie = await signIn(world.api, email, password)
  const reply = await fetch(`${world.api}/tokens`, {
    method: 'POST',
    headers: { cookie, origin: new URL(world.api).origin },
  })
  const { token } = (await reply.json()) as { token: string }
  return { userId: id, key: token, cookie }
}

/** Asks until the answer is there, for news that travels between processes. */
export async function eventually<T>(ask: () => T | Promise<T>, what: string): Promise<NonNullable<T> & T> {
  const until = performance.now() + patienceMs
  for (;;) {
    const answer = await ask()
    if (answer) return answer as NonNullable<T> & T
    if (performance.now() > until) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

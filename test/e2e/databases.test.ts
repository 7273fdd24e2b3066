import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createConnection } from 'mysql2/promise'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import { silentLog } from '../../src/lib/log.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { startNode } from '../../src/node/index.ts'
import { needsMariadb } from '../mariadb.ts'
import { reservePorts } from '../ports.ts'
import { startAcme } from '../world/panel.ts'
import { keyOf, until as poll } from '../world/servers-world.ts'

/** Long enough for real programs on a busy machine. */
const until = <T>(what: string, look: () => T | Promise<T>) => poll(what, look, { everyMs: 100 })

/** A panel with a real node, which can be restarted. */
async function startWorld(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-e2e-databases-'))
  const stack = new AsyncDisposableStack()
  t.after(async () => {
    await stack.disposeAsync()
    await rm(folder, { recursive: true, force: true })
  })
  const world = stack.use(
    await startAcme(
      { kind: 'sqlite', file: join(folder, 'panel.db') },
      { config: { templatesDir: join(import.meta.dirname, '..', '..', 'templates') } },
    ),
  )
  const { acme } = world
  await acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 100_000 } })
  const { joinToken } = await acme.createNode({
    body: { name: 'machine', publicAddress: '127.0.0.1', ports: await reservePorts(1) },
  })
  const { panel, secret } = decodeJoinToken(joinToken)
  const joining = await dialLink({
    dialler: tlsDialler(panel),
    hello: { role: 'join', version: 1, secret, software: 'test' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(joining.greeting)
  joining.close('joined')
  const dataDir = join(folder, 'node')
  const databases = { ports: await reservePorts(3), startWaitMs: 25_000 }
  const start = () => startNode({ dataDir, panels: [panel], credential }, { log: silentLog, databases })
  const here = () => until('the node is here', async () => (await acme.nodes()).nodes.some(({ online }) => online))
  let node = await start()
  stack.defer(() => node[Symbol.asyncDispose]())
  // A test that fails must not leave anything running: the node would, on purpose.
  stack.defer(async () => {
    for (const { id } of await acme.servers()) await acme.deleteServer({ params: { serverId: keyOf(id) } })
    for (const pid of await mariadbs(dataDir)) process.kill(pid, 'SIGKILL')
  })
  await here()
  return {
    acme,
    dataDir,
    stopNode: () => node[Symbol.asyncDispose](),
    async startNode() {
      node = await start()
      await here()
    },
  }
}

/** The processes of the MariaDB that keeps its data here. */
async function mariadbs(dataDir: string): Promise<number[]> {
  const record = await readFile(join(dataDir, 'mariadb.json'), 'utf8').catch(() => '{}')
  const { port } = JSON.parse(record) as { port?: number }
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (words[0] === 'mariadbd' && words.includes(`--port=${port}`)) found.push(Number(name))
  }
  return found
}

test('a game logs in to its database from inside its sandbox, and the database outlives whatever dies', async (t) => {
  if (!needsMariadb(t)) return
  const { acme, dataDir, stopNode, startNode } = await startWorld(t)
  const variables = { COMMAND: 'while read -r line; do eval "$line"; done' }
  const { id } = await acme.createServer({ body: { name: 'Game', template: 'command', variables } })
  const params = { serverId: keyOf(id) }
  assert.deepEqual(await mariadbs(dataDir), [])
  const made = await acme.createDatabase({ params, body: { database: 'shop' } })
  assert.equal((await mariadbs(dataDir)).length, 1)
  const { host, port, username: user, database } = made
  const logIn = (password: string) => createConnection({ host, port, user, password, database })
  const game = await logIn(made.password)
  await game.query('create table t (a int)')
  await game.query('insert into t values (41)')
  await game.end()

  await until('the game runs', async () => (await acme.server({ params })).status === 'running')
  const sql = 'update t set a = a + 1; select concat("answer ", a) from t'
  const command = `mariadb -h ${host} -P ${port} -u ${user} -p${made.password} ${database} -e '${sql}'`
  await acme.consoleCommand({ params, body: { command } })
  await until('the game has its answer', async () =>
    (await acme.consoleLog({ params })).logs.some((line) => line.startsWith('answer 42')),
  )

  const shop = { ...params, database: 'shop' }
  const { newPassword } = await acme.rotateDatabasePassword({ params: shop })
  await assert.rejects(logIn(made.password), { code: 'ER_ACCESS_DENIED_ERROR' })
  const open = await logIn(newPassword)
  await stopNode()
  assert.deepEqual((await open.query('select a from t'))[0], [{ a: 42 }])
  await open.end()
  await startNode()
  assert.equal((await acme.databasePassword({ params: shop })).password, newPassword)

  const [pid] = await mariadbs(dataDir)
  assert.ok(pid)
  process.kill(pid, 'SIGKILL')
  const back = await until('MariaDB is back', () => logIn(newPassword).catch(() => null))
  assert.deepEqual((await back.query('select a from t'))[0], [{ a: 42 }])
  await back.end()
  await until('its size is known', async () => (await acme.databases({ params }))[0]?.sizeBytes)

  await stopNode()
  assert.match((await acme.deleteDatabase({ params: shop })).message, /initiated/)
  await (await logIn(newPassword)).end()
  await startNode()
  await until('it is gone', async () => (await acme.databases({ params })).length === 0)
  await until('MariaDB has ended with the last database', async () => (await mariadbs(dataDir)).length === 0)
})

import assert from 'node:assert/strict'
import { publicOperations } from '../../src/contract/api/index.ts'
import type { Operation } from '../../src/contract/operation.ts'
import { pathOf } from '../../src/contract/path.ts'
import { tlsDialler } from '../../src/link/index.ts'
import { type Sample, samples } from '../conformance/samples.ts'
import { testOnEachDatabase } from '../databases.ts'
import { FakeNode } from '../world/fake-node.ts'
import { eventually, owner, signIn, startAcme } from '../world/panel.ts'

testOnEachDatabase('a NUL in any text of any request is refused by the name of its field', async (database) => {
  await using world = await startServer(database)
  const { serverId } = world
  let asked = 0
  for (const [name, operation] of Object.entries<Operation>(publicOperations)) {
    const filled: Sample = JSON.parse(
      JSON.stringify(samples[name as keyof typeof samples]).replaceAll('{server}', serverId),
    )
    for (const { where, sample } of spoilt(filled)) {
      if (operation.rawText?.some((field) => where === `body.${field}`)) continue
      const { status, reply } = await world.ask(operation, sample)
      const what = `${name}, ${where}: ${status} ${JSON.stringify(reply)}`
      // Nobody has a server of such a name, and that is looked at first.
      if (where === 'params.serverId' && status === 404) continue
      assert.equal(status, 400, what)
      assert.ok(names(reply, where), what)
      asked += 1
    }
  }
  assert.ok(asked > 100, `only ${asked} fields were tried`)
})

testOnEachDatabase('fields that no sample names, names of fields, and lists are looked at too', async (database) => {
  await using world = await startServer(database)
  const { serverId } = world
  const params = { serverId }
  const nul = 'a\u0000b'
  const cases: [keyof typeof publicOperations, Sample, where: string][] = [
    ['createServer', { body: { name: 'x', template: 'plain', variables: { A: nul } } }, 'body.variables.A'],
    ['createServer', { body: { name: 'x', template: 'plain', node: nul } }, 'body.node'],
    ['createServer', { body: { name: 'x', template: 'plain', variables: { [nul]: 'x' } } }, 'body.variables'],
    ['updateStartup', { params, body: { variables: { A: nul } } }, 'body.variables.A'],
    [
      'createSchedule',
      { params, body: { name: 'x', cron: '0 4 * * *', tasks: [{ kind: 'command', command: nul }] } },
      'body.tasks.0.command',
    ],
    ['createNode', { body: { name: 'x', publicAddress: nul } }, 'body.publicAddress'],
    ['servers', { query: { cursor: nul } }, 'query.cursor'],
    ['workspaceActivity', { query: { cursor: nul } }, 'query.cursor'],
    ['compressFiles', { params, body: { files: ['x', nul] } }, 'body.files.1'],
  ]
  for (const [name, sample, where] of cases) {
    const { status, reply } = await world.ask(publicOperations[name], sample)
    assert.equal(status, 400, `${name}, ${where}`)
    assert.ok(names(reply, where), `${name}, ${where}: ${JSON.stringify(reply)}`)
  }
  assert.equal((await world.acme.servers()).length, 1)
})

interface Refusal {
  error: string
  message?: string
}

/** One family says it in `error`, the other in `message`. */
const names = ({ error, message = error }: Refusal, where: string): boolean =>
  message.includes(`${where} contains a NUL`) || message.includes(`${where} has a name that contains a NUL`)

async function startServer(database: Parameters<typeof startAcme>[0]) {
  await using closer = new AsyncDisposableStack()
  const world = closer.use(await startAcme(database))
  await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { credential, nodeId } = await world.panel.registerLocalNode('local')
  await world.database.kysely.updateTable('nodes').set({ public_address: '127.0.0.1' }).execute()
  const dialler = tlsDialler({ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin })
  const node = closer.use(new FakeNode({ dialler, credential: credential.reveal() }))
  await node.connect()
  await eventually(() => world.panel.isLinked(nodeId), 'the node is linked')
  const { id } = await world.acme.createServer({ body: { name: 'Lobby', template: 'plain', start: false } })
  const cookie = await signIn(world.api, owner.email, owner.password)
  const running = closer.move()
  return {
    acme: world.acme,
    serverId: id.slice('servers/'.length),
    async ask(operation: Operation, { params = {}, query = {}, body }: Sample) {
      // What changes how somebody signs in takes no key.
      const caller: Record<string, string> =
        operation.access === 'session'
          ? { cookie, origin: new URL(world.api).origin }
          : { authorization: `Bearer ${world.key}` }
      const reply = await fetch(world.api + pathOf(operation.path, params, query), {
        method: operation.method,
        headers: { ...caller, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: reply.status, reply: (await reply.json()) as Refusal }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** The sample once for every text in it, with a NUL in that text. */
function* spoilt(sample: Sample): Generator<{ where: string; sample: Sample }> {
  for (const where of texts(sample, [])) {
    const copy: Sample = structuredClone(sample)
    const holder = where.slice(0, -1).reduce((value: object, key) => Reflect.get(value, key), copy)
    const last = where.at(-1) ?? ''
    Reflect.set(holder, last, `${Reflect.get(holder, last)}\u0000`)
    yield { where: where.join('.'), sample: copy }
  }
}

function texts(value: unknown, where: string[]): string[][] {
  if (typeof value === 'string') return [where]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => texts(inner, [...where, name]))
}

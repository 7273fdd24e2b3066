import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ApiError } from '../../src/client/index.ts'
import { refused } from '../refused.ts'
import {
  type JoinedFake,
  keyOf,
  type Person,
  type ServersWorld,
  startServersWorld,
  until,
} from '../world/servers-world.ts'

let world: ServersWorld
let ada: Person
let node: JoinedFake
let params: { serverId: string }
before(async () => {
  world = await startServersWorld()
  const workspaceId = await world.workspace('acme')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
  const { id } = await ada.api.createServer({ body: { name: 'Lobby', template: 'paper', start: false } })
  params = { serverId: keyOf(id) }
  await until('installed', async () => (await ada.api.server({ params })).status === 'offline')
})
after(() => world[Symbol.asyncDispose]())

const set = (variables: Record<string, string>, who = ada) => who.api.updateStartup({ params, body: { variables } })
const valuesOf = async () =>
  Object.fromEntries((await ada.api.startup({ params })).variables.map(({ name, value }) => [name, value]))

test('shows each variable with its label, rule, default and value', async () => {
  const { template, variables } = await ada.api.startup({ params })
  assert.equal(template, 'paper')
  assert.deepEqual(variables[1], {
    name: 'SLOTS',
    label: 'Slots',
    description: '',
    default: '20',
    rule: { type: 'integer', min: 1, max: 100 },
    value: '20',
  })
})

test('sets what is named and keeps the rest; the node gets it', async () => {
  await set({ SLOTS: '50' })
  await set({ MODE: 'hard' })
  assert.deepEqual(await valuesOf(), { MOTD: 'hello', SLOTS: '50', MODE: 'hard' })
  assert.deepEqual(node.servers.get(params.serverId)?.spec.variables, { MOTD: 'hello', SLOTS: '50', MODE: 'hard' })
  assert.equal((await ada.api.server({ params })).variables.SLOTS, '50')
})

test('a value that looks like a variable stays the text that it is', async () => {
  await set({ MOTD: '{{SERVER_PORT}}' })
  assert.equal(node.servers.get(params.serverId)?.spec.variables.MOTD, '{{SERVER_PORT}}')
  assert.equal((await valuesOf()).MOTD, '{{SERVER_PORT}}')
})

test('two that set different variables at once both succeed', async () => {
  await Promise.all([set({ SLOTS: '7' }), set({ MODE: 'easy' }), set({ MOTD: 'both' })])
  assert.deepEqual(await valuesOf(), { MOTD: 'both', SLOTS: '7', MODE: 'easy' })
})

for (const [what, variables, words] of [
  ['a number out of range', { SLOTS: '101' }, /SLOTS must be a whole number from 1 to 100/],
  ['a number in another notation', { SLOTS: '1e1' }, /SLOTS must be a whole number/],
  ['a text that is too long', { MOTD: 'x'.repeat(21) }, /MOTD must be text of 0 to 20 characters/],
  ['a line break', { MOTD: 'a\nop=true' }, /MOTD must be text without line breaks/],
  ['a choice that is none', { MODE: 'HARD' }, /MODE must be one of easy, hard/],
  ['an unknown variable', { NOPE: '1' }, /NOPE is not a variable of template paper/],
  ['what the node sets', { SERVER_PORT: '22' }, /SERVER_PORT is set by the node/],
  ['the memory that the node sets', { SERVER_MEMORY_MB: '999999' }, /SERVER_MEMORY_MB is set by the node/],
  ['a name of every object', { constructor: 'x' }, /constructor is not a variable/],
] as const)
  test(`refuses ${what}, and sets nothing`, async () => {
    const before = await valuesOf()
    await assert.rejects(
      set({ ...variables, ...('MODE' in variables ? {} : { MODE: 'hard' }) }),
      refused('invalid_request', words),
    )
    assert.deepEqual(await valuesOf(), before)
  })

test('names everything that is wrong, each once', async () => {
  const error = await set({ SLOTS: 'x\n', MODE: 'no', NOPE: '' }).catch((thrown: ApiError) => thrown)
  assert.ok(error instanceof ApiError)
  for (const name of ['SLOTS', 'MODE', 'NOPE'])
    assert.equal(error.message.split(`variables.${name} `).length, 2, error.message)
})

test('looking and setting each need their own permission', async () => {
  const outside = await world.workspace('outside')
  const bob = await world.person('bob@example.com', { workspaceId: outside, role: 'member' })
  await world.share(params.serverId, bob.userId, ['startup.read'])
  assert.equal((await bob.api.startup({ params })).template, 'paper')
  await assert.rejects(set({ MODE: 'easy' }, bob), refused('forbidden', /startup\.update/))
  const carol = await world.person('carol@example.com', { workspaceId: outside, role: 'member' })
  await world.share(params.serverId, carol.userId, ['startup.update'])
  await assert.rejects(carol.api.startup({ params }), refused('forbidden', /startup\.read/))
})

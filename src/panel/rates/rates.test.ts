import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { testOnPostgres } from '../../../test/databases.ts'
import { TestValkey, valkeyProgram } from '../../../test/valkey.ts'
import { eventually, MovableClock, owner, startAcme } from '../../../test/world/panel.ts'
import { silentLog } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import { openDatabase } from '../db/index.ts'
import { openRates } from './index.ts'

/** Valkey, and as many panels' limits as are asked for on one database. */
async function startWorld(t: TestContext) {
  const program = valkeyProgram(t)
  if (program === null) return null
  await using closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-rates-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const valkey = closer.use(await TestValkey.start(program))
  const clock = new MovableClock()
  const database = closer.use(await openDatabase({ kind: 'sqlite', file: join(folder, 'panel.db') }, silentLog))
  const said: string[] = []
  const log = {
    ...silentLog,
    warn: (_: unknown, words?: string) => void said.push(words ?? ''),
    info: (_: unknown, words?: string) => void said.push(words ?? ''),
  } as typeof silentLog
  const opened = closer.move()
  return {
    ...{ valkey, clock, said },
    panel: async (url: Secret = valkey.url()) => opened.use(await openRates({ database, clock, log, valkeyUrl: url })),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const few = { name: 'few', windowMs: 60_000, keysMax: 100 }

/** How many of so many tries are let through, at one limit after the other. */
async function allowed(
  limits: readonly { take(key: string, limit: number): unknown }[],
  key: string,
  most: number,
  tries: number,
) {
  let count = 0
  for (let n = 0; n < tries; n++) {
    const limit = limits[n % limits.length]
    const taken = (await limit?.take(key, most)) as { allowed: boolean }
    if (taken.allowed) count++
  }
  return count
}

describe('limits that panels share', () => {
  test('hold over both of them, one after the other and all at once, each key by itself', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const [a, b] = [(await world.panel()).limit(few), (await world.panel()).limit(few)]
    assert.equal(await allowed([a, b], 'ada', 10, 60), 10)
    const all = await Promise.all(Array.from({ length: 60 }, async (_, n) => (n % 2 ? a : b).take('bob', 10)))
    assert.equal(all.filter((taken) => taken.allowed).length, 10)
    assert.ok(all.every(({ resetSeconds }) => resetSeconds >= 1 && resetSeconds <= 60))
    assert.equal(await allowed([b], 'eve', 10, 3), 3)
  })

  test('hold with leases too, and leave little unused', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const options = { ...few, name: 'many', leases: true }
    const [a, b] = [(await world.panel()).limit(options), (await world.panel()).limit(options)]
    const count = await allowed([a, b], 'ada', 180, 600)
    assert.ok(count <= 180 && count >= 160, `${count}`)
  })

  test('take back what was given back at the other panel', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const [a, b] = [(await world.panel()).limit(few), (await world.panel()).limit(few)]
    assert.equal(await allowed([a], 'ada', 3, 5), 3)
    assert.equal(await allowed([b], 'ada', 3, 5), 0)
    a.giveBack('ada')
    world.clock.advance(2_000)
    await eventually(async () => (await b.take('ada', 3)).allowed, 'one is free again')
    world.clock.advance(2_000)
    assert.equal(await allowed([a, b], 'ada', 3, 4), 0)
  })

  test('write keys that end by themselves, tell nothing of who they are about, and are as many as they may be', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const a = (await world.panel()).limit({ ...few, keysMax: 20 })
    for (let n = 0; n < 200; n++) assert.equal((await a.take(`for ada@example.com from 10.0.0.${n}`, 5)).allowed, true)
    const keys = await world.valkey.ask(['KEYS', '*'])
    assert.doesNotMatch(keys, /ada|10\.0/)
    assert.match(keys, /^\*20\r\n/)
    const [, key = ''] = /(pharos:few:[\w-]{22})\r\n/.exec(keys) ?? []
    const [, ttl = ''] = /^:(-?\d+)/.exec(await world.valkey.ask(['PTTL', key])) ?? []
    assert.ok(Number(ttl) > 0 && Number(ttl) <= 60_000, ttl)
  })

  test('are each panel’s own while Valkey is away: neither open nor closed, said once, and shared again when it is back', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const [one, two] = [await world.panel(), await world.panel()]
    const [a, b] = [one.limit(few), two.limit(few)]
    assert.equal(await allowed([a, b], 'ada', 10, 4), 4)
    assert.equal(one.problem, null)
    await world.valkey.down()
    assert.equal(await allowed([a], 'bob', 10, 30), 10)
    assert.equal(await allowed([b], 'bob', 10, 30), 10)
    await eventually(() => one.problem !== null, 'it is said')
    assert.match(one.problem ?? '', /Valkey does not answer: each panel limits/)
    assert.equal(world.said.filter((words) => /Valkey does not answer/.test(words)).length, 2)
    await world.valkey.up()
    await eventually(async () => {
      await Promise.all([a.take('poke', 1_000_000), b.take('poke', 1_000_000)])
      return one.problem === null && two.problem === null
    }, 'both ask it again')
    assert.equal(await allowed([a, b], 'eve', 10, 40), 10)
  })

  test('do not wait for a Valkey that holds its connections and says nothing', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const one = await world.panel()
    const a = one.limit(few)
    assert.equal(await allowed([a], 'ada', 10, 1), 1)
    world.valkey.freeze()
    assert.equal(await allowed([a], 'bob', 10, 500), 10)
    const all = await Promise.all(Array.from({ length: 500 }, async () => a.take('eve', 10)))
    assert.equal(all.filter((taken) => taken.allowed).length, 10)
    assert.notEqual(one.problem, null)
    world.valkey.thaw()
    await eventually(async () => {
      await a.take('poke', 1_000_000)
      return one.problem === null
    }, 'it is asked again')
  })

  test('are the panel’s own with a wrong password, which no log repeats', async (t) => {
    await using world = await startWorld(t)
    if (!world) return
    const one = await world.panel(world.valkey.url('a wrong password'))
    assert.equal(await allowed([one.limit(few)], 'ada', 10, 30), 10)
    assert.notEqual(one.problem, null)
    assert.doesNotMatch(JSON.stringify(world.said), /wrong password/)
    assert.match(await world.valkey.ask(['DBSIZE']), /^:0\r\n/)
  })
})

testOnPostgres('two panels count requests and sign-ins together, and say when they cannot', async (database, t) => {
  const program = valkeyProgram(t)
  if (program === null) return
  await using valkey = await TestValkey.start(program)
  const secrets = { valkeyUrl: valkey.url() }
  await using a = await startAcme(database, { secrets })
  const folder = join(a.folder, 'second')
  await mkdir(folder)
  await copyFile(join(a.folder, 'secrets.key'), join(folder, 'secrets.key'))
  const { startPanelWorld } = await import('../../../test/world/panel.ts')
  await using b = await startPanelWorld(database, { secrets, folder })
  const apis = [a.api, b.api]

  const statuses = []
  for (let n = 0; n < 14; n++) {
    const reply = await fetch(`${apis[n % 2]}/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: owner.email, password: `guess ${n}` }),
    })
    statuses.push(reply.status)
  }
  assert.deepEqual(statuses, [...Array(10).fill(401), ...Array(4).fill(429)])

  const left = []
  for (let n = 0; n < 20; n++) {
    const reply = await fetch(`${apis[n % 2]}/workspace`, { headers: { authorization: `Bearer ${a.key}` } })
    assert.equal(reply.status, 200)
    left.push(Number(reply.headers.get('x-ratelimit-remaining')))
  }
  assert.ok((left.at(-1) ?? 180) <= 160 + 9, left.join(' '))

  await valkey.down()
  const ready = async () => (await fetch(`http://127.0.0.1:${b.panel.port}/readyz`)).text()
  await eventually(async () => /Valkey does not answer/.test(await ready()), 'it is said')
  assert.match(await ready(), /^ready\n/)
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { z } from 'zod'
import { openSocket } from '../../src/client/index.ts'
import { type ServerEvent, serverSockets } from '../../src/contract/api/servers.ts'
import { needsPostgres, newPostgresDatabase } from '../databases.ts'
import { startPanelWorld } from '../world/panel.ts'
import { until } from '../world/servers-world.ts'
import { startTwoPanels } from '../world/two-panels.ts'
import { startReceiver } from '../world/webhook-receiver.ts'

const eventually = <T>(look: () => T | Promise<T>, what: string) => until(what, look, { everyMs: 50 })

let world: Awaited<ReturnType<typeof startTwoPanels>> | null = null
let skipped = ''

function here(t: TestContext): NonNullable<typeof world> | null {
  if (!world) t.skip(skipped)
  return world
}

/** Reads what a panel tells of a server in the background, until the socket ends. */
async function watch(panel: { url: string }, serverId: string, key: string) {
  const socket = await openSocket(
    serverSockets.serverEvents,
    { params: { serverId }, query: { backlog: '0' } },
    { baseUrl: `${panel.url}/api/v1`, token: key },
  )
  const events: z.output<typeof ServerEvent>[] = []
  const ended = (async () => {
    for await (const event of socket) events.push(event)
  })().then(
    () => 'closed',
    () => 'broken',
  )
  return {
    events,
    ended,
    close: () => socket.close(),
    lines: () => events.flatMap((event) => (event.type === 'console' ? event.lines.map(({ text: line }) => line) : [])),
    statuses: () => events.flatMap((event) => (event.type === 'status' ? [event.status] : [])),
  }
}

describe('two panels of one database', () => {
  before(async () => {
    const database = await newPostgresDatabase()
    if ('skipped' in database) skipped = database.skipped
    else world = await startTwoPanels(database)
  })
  after(() => world?.[Symbol.asyncDispose]())
  needsPostgres()

  test('nodes and edges that were told of one panel link to both, and people see the same at each', async (t) => {
    const here_ = here(t)
    if (!here_) return
    const { a, b, key, nodes } = here_
    for (const panel of [a, b]) {
      const api = panel.client(key)
      await eventually(async () => (await api.nodes()).nodes.every(({ online }) => online), 'both nodes are here')
      await eventually(async () => (await api.edges()).edges.every(({ online }) => online), 'the edge is here')
    }
    const made = await a
      .client(key)
      .createServer({ body: { name: 'Both', template: 'game', node: nodes[0], start: false } })
    const serverId = made.id.slice('servers/'.length)
    const params = { serverId }
    await eventually(
      async () => (await b.client(key).server({ params })).status === 'offline',
      'the other panel knows it',
    )
    const [atA, atB] = [await watch(a, serverId, key), await watch(b, serverId, key)]
    await b.client(key).power({ params, body: { action: 'start' } })
    for (const viewer of [atA, atB]) await eventually(() => viewer.statuses().includes('running'), 'it runs')
    await a.client(key).consoleCommand({ params, body: { command: 'ping' } })
    for (const viewer of [atA, atB]) {
      await eventually(() => viewer.lines().includes('heard ping'), 'the line is there')
      viewer.close()
      await viewer.ended
    }
    for (const panel of [a, b]) {
      const api = panel.client(key)
      await eventually(async () => (await api.tunnels()).tunnels.every(({ open }) => open), 'its tunnel is open')
      assert.equal((await api.server({ params })).address, (await a.client(key).server({ params })).address)
    }
  })

  test('a panel that is killed in the middle of everything costs nothing but a reconnect', async (t) => {
    const here_ = here(t)
    if (!here_) return
    const { a, b, key, nodes, rows, folder } = here_
    const [doomed, other] = [a.client(key), b.client(key)]
    await using receiver = await startReceiver()
    const { webhook } = await doomed.createWebhook({
      body: { format: 'json', url: receiver.url, events: ['server.crashed', 'backup.completed'] },
    })
    const made = async (name: string) => {
      const { id } = await doomed.createServer({ body: { name, template: 'game', node: nodes[0], start: true } })
      const serverId = id.slice('servers/'.length)
      await eventually(async () => (await other.server({ params: { serverId } })).status === 'running', `${name} runs`)
      return { serverId, params: { serverId } }
    }
    const [busy, mover] = [await made('Busy'), await made('Mover')]
    const { params } = busy
    const { jwt } = await doomed.startUpload({ params, query: { directory: '/' } })
    const schedule = await doomed.createSchedule({
      params,
      body: { name: 'Due', cron: '@yearly', tasks: [{ kind: 'command', command: 'due' }] },
    })
    const viewer = await watch(b, busy.serverId, key)
    const reader = await watch(a, busy.serverId, key)

    // Calls through both, until the end.
    const load = new AbortController()
    t.after(() => load.abort())
    const failures = { a: 0, b: 0 }
    const calls = { a: 0, b: 0 }
    const calling = (['a', 'b'] as const).map(async (which) => {
      const api = which === 'a' ? doomed : other
      while (!load.signal.aborted)
        await api
          .server({ params })
          .then(async () => {
            calls[which]++
            await new Promise((resolve) => setTimeout(resolve, 5))
          })
          .catch(async () => {
            failures[which]++
            await new Promise((resolve) => setTimeout(resolve, 20))
          })
    })

    const backup = await doomed.createBackup({ params, body: { name: 'Night' } })
    await doomed.transferServer({ params: mover.params, body: { node: nodes[1] } })
    await rows.kysely
      .updateTable('schedules')
      .set({ next_run_at: Date.now() - 1000 })
      .where('id', '=', schedule.id)
      .execute()
    const content = randomBytes(200_000)
    const send = (panel: { url: string }, from: number, to: number) =>
      fetch(`${panel.url}/api/v1/servers/${busy.serverId}/files/upload-direct?file=level.dat`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${jwt}`,
          'content-type': 'application/octet-stream',
          'content-range': `bytes ${from}-${to - 1}/${content.length}`,
        },
        body: content.subarray(from, to),
      })
    assert.equal((await send(a, 0, 100_000)).status, 200)
    await doomed.consoleCommand({ params, body: { command: 'before' } })
    await doomed.consoleCommand({ params, body: { command: 'crash' } })
    await a.kill()
    await reader.ended

    assert.equal((await send(b, 100_000, 200_000)).status, 200)
    const file = join(folder, 'one', 'servers', busy.serverId, 'data', 'level.dat')
    assert.deepEqual(await readFile(file), content)
    // A status that is still that of before the crash is not the one that is waited for.
    await eventually(() => {
      const seen = viewer.statuses()
      return seen.some((status) => status !== 'running') && seen.at(-1) === 'running'
    }, 'it has crashed, and runs again')
    // Whoever looked at the dead one comes back to the other.
    const back = await watch(b, busy.serverId, key)
    await eventually(() => back.statuses().at(-1) === 'running', 'it is seen to run')
    await other.consoleCommand({ params, body: { command: 'after' } })
    for (const one of [viewer, back]) await eventually(() => one.lines().includes('heard after'), 'the line is there')
    assert.equal(viewer.lines().filter((line) => line === 'heard before').length, 1)
    await eventually(async () => {
      const found = (await other.backups({ params })).find(({ id }) => id === backup.backupId)
      return found?.state === 'ready'
    }, 'the backup is made')
    // What a dead panel had taken another takes over when its lease is over, which the test does not wait for.
    await rows.kysely.updateTable('transfers').set({ leased_until: 0 }).execute()
    await eventually(async () => {
      const { transfer } = await other.serverTransfer({ params: mover.params })
      return transfer?.stage === 'done'
    }, 'the server has moved')
    await rows.kysely.updateTable('schedule_runs').set({ seen_at: 0 }).where('state', '=', 'running').execute()
    const [run, ...more] = await eventually(async () => {
      const runs = await other.scheduleRuns({ params: { ...params, schedule: schedule.id } })
      return runs.length > 0 && runs.every(({ state }) => state !== 'running') ? runs : null
    }, 'the schedule has run')
    assert.deepEqual([run?.cause, more.length], ['cron', 0])
    await rows.kysely.updateTable('webhooks').set({ busy_until: 0 }).execute()
    await eventually(async () => {
      const { deliveries } = await other.webhookDeliveries({ params: { webhook: webhook.id } })
      return deliveries.length === 2 && deliveries.every(({ state }) => state === 'delivered')
    }, 'each event was delivered, and written down once')
    const told = receiver.received.map(({ headers }) => headers['pharos-delivery'])
    assert.equal(new Set(told).size, 2, told.join(' '))

    await a.start()
    await eventually(
      async () => (await doomed.nodes()).nodes.every(({ online }) => online),
      'the nodes come back to it',
    )
    const before = calls.a
    await eventually(() => calls.a > before, 'it answers again')
    load.abort()
    await Promise.all(calling)
    assert.equal(failures.b, 0)
    assert.ok(calls.b > 0)
    viewer.close()
    back.close()
    await Promise.all([viewer.ended, back.ended])
  })

  test('a panel with another key for sealed secrets is refused, and says what to copy', async (t) => {
    const here_ = here(t)
    if (!here_) return
    const folder = await mkdtemp(join(tmpdir(), 'pharos-strange-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    await assert.rejects(startPanelWorld({ kind: 'postgres', url: here_.databaseUrl }, { folder }), {
      code: 'conflict',
      message: /serves from this database with another secrets\.key\. Copy panel\/secrets\.key/,
    })
  })
})

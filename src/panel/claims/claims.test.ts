import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { MovableClock } from '../../../test/world/panel.ts'
import { silentLog } from '../../lib/log.ts'
import { type Database, openDatabase, type WebhookRow } from '../db/index.ts'
import { leaseMs } from './due-work.ts'
import { DueWork, setOwn, type Turn } from './index.ts'

type Served = (row: WebhookRow, turn: Turn) => Promise<void>

const clock = new MovableClock()

/** A panel that finds every row due which is not switched off. It looks when it is told to. */
const panelOf = (db: Database, serve: Served): DueWork<'webhooks'> =>
  new DueWork({
    ...{ db, clock, log: silentLog, table: 'webhooks', serve },
    due: () => (rows) => rows.where('disabled_at', 'is', null),
    lookEveryMs: 3_600_000,
    atOnceMax: 10,
  })

async function insertRows(db: Database, ids: readonly string[], busyUntil = 0): Promise<void> {
  await db.kysely
    .insertInto('workspaces')
    .values({ id: 'w', slug: 'w', name: 'W', plan: 'standard', created_at: 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  for (const id of ids)
    await db.kysely
      .insertInto('webhooks')
      .values({
        ...{ id, workspace_id: 'w', format: 'json', target: '', events: '[]', secret: '', created_at: 0 },
        ...{ created_by: 'u', failures: 0, dropped: 0, busy_until: busyUntil, panel: 'another' },
      })
      .execute()
}

const rowOf = (db: Database, id: string) =>
  db.kysely.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

testOnEachDatabase(
  'of panels that look at the same moment one does each row, and the other none of those',
  async (config) => {
    await using one = await openDatabase(config, silentLog)
    await using two = await openDatabase(config, silentLog)
    const ids = Array.from({ length: 15 }, (_, n) => `row${n}`)
    await insertRows(one, ids)
    const done: string[] = []
    const serve =
      (db: Database): Served =>
      async (row, { own, signal }) => {
        done.push(row.id)
        assert.ok(!signal.aborted)
        assert.ok(await setOwn(db.kysely, 'webhooks', own, { disabled_at: 1 }))
      }
    await using first = panelOf(one, serve(one))
    await using second = panelOf(two, serve(two))
    await Promise.all([first.idle(), second.idle()])
    for (let looks = 0; looks < 4; looks++) {
      await Promise.all([first.look(), second.look()])
      await Promise.all([first.idle(), second.idle()])
    }
    assert.deepEqual(done.sort(), ids.sort())
    assert.deepEqual(await one.kysely.selectFrom('webhooks').select(['busy_until', 'panel']).distinct().execute(), [
      { busy_until: 0, panel: null },
    ])
  },
)

testOnEachDatabase(
  'what hangs at one panel another does when its time is over, and the first may not write of it any more',
  async (config) => {
    await using db = await openDatabase(config, silentLog)
    await insertRows(db, ['row'])
    const taken = Promise.withResolvers<Turn>()
    const goOn = Promise.withResolvers<void>()
    const served: string[] = []
    await using second = panelOf(db, async () => void served.push('second'))
    await using first = panelOf(db, async (_, turn) => {
      taken.resolve(turn)
      await goOn.promise
      served.push('first')
    })
    await Promise.all([first.idle(), second.idle()])
    await first.look()
    const turn = await taken.promise

    assert.equal(await second.withOne('row', async () => 'had it'), null)
    clock.advance(leaseMs)
    assert.ok(await turn.keep(), 'it is still the first one’s')
    await second.look()
    await second.idle()
    assert.deepEqual(served, [])

    clock.advance(leaseMs + 1)
    const late = Promise.withResolvers<void>()
    const had = second.withOne('row', async () => {
      assert.equal(await turn.keep(), false)
      assert.ok(turn.signal.aborted)
      assert.equal(await setOwn(db.kysely, 'webhooks', turn.own, { failures: 7 }), false)
      goOn.resolve()
      await first.idle()
      assert.notEqual((await rowOf(db, 'row')).busy_until, 0, 'the late one gave back what is not its own')
      late.resolve()
      return 'had it'
    })
    await late.promise
    assert.equal(await had, 'had it')
    assert.equal((await rowOf(db, 'row')).failures, 0)
  },
)

testOnEachDatabase(
  'a row whose work fails is given back; one that a killed panel had waits, unless there can be no other panel',
  async (config) => {
    await using db = await openDatabase(config, silentLog)
    await insertRows(db, ['held'], clock.now() + leaseMs)
    let tries = 0
    await using panel = panelOf(db, async () => {
      tries += 1
      throw new Error('as the test wants')
    })
    await panel.look()
    await panel.idle()
    assert.equal(tries, config.kind === 'sqlite' ? 1 : 0)
    clock.advance(leaseMs + 1)
    await panel.look()
    await panel.idle()
    await panel.look()
    await panel.idle()
    assert.equal(tries, config.kind === 'sqlite' ? 3 : 2)
    assert.equal((await rowOf(db, 'held')).panel, null)
  },
)

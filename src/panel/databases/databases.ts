import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Secret } from '../../lib/secret.ts'
import { type GameDatabase, newDatabasePassword } from '../../mysql/index.ts'
import type { ServerAccess } from '../access/index.ts'
import { type Changes, type Database, type DatabaseRow, isUniqueViolation } from '../db/index.ts'
import { type LiveNode, type Nodes, nodeAway } from '../nodes/index.ts'
import { finishWaitMs, reconcileAtOnceMax, reconcileEveryMs, retryMs, sizesWaitMs, workLeaseMs } from './limits.ts'
import { defaultRemote, newAccountName, realName, remoteNote, sealedFor } from './names.ts'
import { onHost, onNode, type Place } from './places.ts'
import {
  changeDatabase,
  countDatabases,
  type DatabaseChange,
  databasesOf,
  findDatabase,
  homeOf,
  hostById,
  insertDatabase,
  listHosts,
  nodeName,
  releaseDatabases,
  removeDatabase,
  removeDatabasesOfNode,
  someSealed,
  unfinishedDatabases,
} from './store.ts'

export interface DatabasesOptions {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  nodes: Nodes
  sealer: Sealer
}

/** One that is there or was, with its place. */
export type PlacedDatabase = DatabaseRow & { host: string; port: number }

export interface CreatedDatabase extends PlacedDatabase {
  plainPassword: Secret
  note: string | null
}

/**
 * The databases of servers. A row is written before its database is made and goes after that is gone, so whatever dies in
 * between, the row says what remains to be done:
 *
 *     creating ──made──▶ ready ──rotate──▶ rotating ──set──▶ ready
 *        │                 │                  │
 *        └──failed, died───┴──────delete──────┴──▶ deleting ──dropped──▶ no row
 *
 * Whoever works on a row holds it until `busy_until`. One that nobody holds and that is not `ready` was left by somebody who
 * failed or died: a creation is undone, since nobody was told its password; a rotation is finished with the password that
 * was chosen; a deletion is finished. So is one whose server has been deleted.
 */
export class Databases implements AsyncDisposable {
  readonly #options: DatabasesOptions
  readonly #stops: (() => void)[]
  readonly #timer: NodeJS.Timeout
  readonly #deletions = new Set<Promise<boolean>>()
  #reconciling: Promise<void> | null = null
  #again = false
  #stopped = false

  private constructor(options: DatabasesOptions) {
    this.#options = options
    const { nodes, changes } = options
    const wake = (): void => this.#wake()
    this.#timer = setInterval(wake, reconcileEveryMs).unref()
    this.#stops = [
      nodes.observe({
        up: async () => wake(),
        removed: (trx, nodeId) => removeDatabasesOfNode(trx, nodeId),
      }),
      changes.on((change) => {
        if (change.of === 'server') wake()
      }),
    ]
  }

  static async open(options: DatabasesOptions): Promise<Databases> {
    const { db, sealer, log } = options
    // On SQLite this panel is the only one.
    if (db.dialect === 'sqlite') await releaseDatabases(db.kysely)
    if ((await someSealed(db.kysely)).some((sealed) => !sealer.knows(sealed)))
      log.error(
        'passwords of databases were sealed under another key than this panel’s: give all panels of one database the same secrets.key',
      )
    const databases = new Databases(options)
    databases.#wake()
    return databases
  }

  /** What the server has, with the size of each; null where its place does not say in time. */
  async list({ row }: ServerAccess): Promise<(PlacedDatabase & { sizeBytes: number | null })[]> {
    const rows = (await databasesOf(this.#options.db.kysely, row.id)).filter(isPlaced)
    const sizes = await Promise.all(
      [...Map.groupBy(rows, placeKey).values()].map((group) => within(sizesWaitMs, this.#sizesOf(group), new Map())),
    )
    return rows.map((database) => ({
      ...database,
      sizeBytes: sizes.map((known) => known.get(database.real_name)).find((bytes) => bytes !== undefined) ?? null,
    }))
  }

  async create({ row: { id: serverId } }: ServerAccess, name: string, remote?: string): Promise<CreatedDatabase> {
    const { db, clock, sealer, log } = this.#options
    const { at, place } = await this.#choosePlace(serverId)
    const real = realName(serverId, name)
    await this.#mustBeNew(serverId, name)
    if (await place.has(real))
      throw conflict(`There is a database ${real} already that this panel did not make: choose another name.`)
    const password = newDatabasePassword()
    const id = newId('db')
    const row: DatabaseRow = {
      id,
      server_id: serverId,
      host_id: at.kind === 'host' ? at.id : null,
      node_id: at.kind === 'node' ? at.id : null,
      name,
      real_name: real,
      username: newAccountName(serverId),
      remote: remote ?? defaultRemote(at.kind),
      password: sealer.seal(password, sealedFor(id)),
      next_password: null,
      host: null,
      port: null,
      state: 'creating',
      busy_until: clock.now() + workLeaseMs,
      created_at: clock.now(),
    }
    await this.#insert(row)
    try {
      const address = await place.create(gameDatabase(row), password)
      const made = { state: 'ready' as const, busy_until: 0, ...address }
      if (!(await changeDatabase(db.kysely, row, made)))
        throw conflict(`Making database ${name} took too long and was undone. Try again.`)
      this.#wake()
      return { ...row, ...made, plainPassword: password, note: remoteNote(at.kind, row.remote) }
    } catch (error) {
      log.warn({ server: serverId, database: real, err: error }, 'a database could not be made; it is undone')
      const undone = { state: 'deleting' as const, busy_until: clock.now() + workLeaseMs }
      if (await changeDatabase(db.kysely, row, undone))
        await within(finishWaitMs, this.#startDeletion({ ...row, ...undone }), false)
      throw error
    }
  }

  /** True where it is gone; false where that is finished later, since its place does not answer. */
  async delete({ row: { id: serverId } }: ServerAccess, named: string): Promise<boolean> {
    const { clock } = this.#options
    const row = await this.#need(serverId, named)
    if (row.state === 'deleting' && row.busy_until > clock.now()) return false
    this.#mustBeFree(row)
    const deleting = { state: 'deleting' as const, busy_until: clock.now() + workLeaseMs }
    if (!(await this.#changeStanding(row, deleting))) throw busy(row.name)
    return within(finishWaitMs, this.#startDeletion({ ...row, ...deleting }), false)
  }

  /** Resolves to the new password, once it is the only one. */
  async rotate({ row: { id: serverId } }: ServerAccess, named: string): Promise<Secret> {
    const { clock, sealer } = this.#options
    const row = await this.#need(serverId, named)
    this.#mustBeFree(row)
    if (row.state !== 'ready') throw busy(row.name)
    // Whether it can be reached is asked before anything is decided.
    await this.#placeOf(row)
    const password = newDatabasePassword()
    const rotating = {
      state: 'rotating' as const,
      busy_until: clock.now() + workLeaseMs,
      next_password: sealer.seal(password, sealedFor(row.id)),
    }
    if (!(await this.#changeStanding(row, rotating))) throw busy(row.name)
    try {
      await this.#finishRotation({ ...row, ...rotating })
    } catch (cause) {
      if (!(cause instanceof AppError)) throw cause
      const later = 'The new password takes effect as soon as it can be set, and is readable then.'
      throw new AppError(cause.code, `${cause.message} ${later}`, { cause })
    }
    return password
  }

  async password({ row: { id: serverId } }: ServerAccess, named: string): Promise<Secret> {
    const row = await this.#need(serverId, named)
    if (row.state !== 'ready') throw busy(row.name)
    return this.#options.sealer.open(row.password, sealedFor(row.id))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    for (const stop of this.#stops) stop()
    await Promise.all([this.#reconciling, ...this.#deletions])
  }

  /** The registered host with the most room, or the server's node where no host is registered. */
  async #choosePlace(serverId: string): Promise<{ at: { kind: 'host' | 'node'; id: string }; place: Place }> {
    const { db, nodes, sealer } = this.#options
    const home = await homeOf(db.kysely, serverId)
    if (!home) throw notFound(`Server ${serverId}`)
    const hosts = await listHosts(db.kysely)
    if (hosts.length === 0) {
      const node = nodes.need({ id: home.node_id, name: home.node_name })
      return { at: { kind: 'node', id: node.id }, place: onNode(node) }
    }
    const [host] = hosts
      .filter(({ capacity, databases }) => capacity === null || databases < capacity)
      .toSorted((left, right) => left.databases - right.databases)
    if (!host) throw hostsFull()
    return { at: { kind: 'host', id: host.id }, place: onHost(host, sealer) }
  }

  /** Everything that is limited is counted in the transaction that uses it up. */
  async #insert(row: DatabaseRow): Promise<void> {
    try {
      await this.#options.db.transact(async (trx) => {
        const home = await homeOf(trx, row.server_id)
        if (!home) throw notFound(`Server ${row.server_id}`)
        if (row.node_id !== null) {
          mustStay(home)
          if (home.node_id !== row.node_id) throw conflict(`${home.name} has just changed its node: try again.`)
        }
        const present = await databasesOf(trx, row.server_id)
        mustBeNew(present, row.name, row.real_name)
        mustHaveRoom(home.name, await countDatabases(trx, row.server_id))
        if (row.host_id !== null) {
          const host = await hostById(trx, row.host_id)
          if (!host || (host.capacity !== null && host.databases >= host.capacity)) throw hostsFull()
        }
        await insertDatabase(trx, row)
      })
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      throw conflict(`There is a database ${row.name} already: choose another name.`)
    }
  }

  async #mustBeNew(serverId: string, name: string): Promise<void> {
    mustBeNew(await databasesOf(this.#options.db.kysely, serverId), name, realName(serverId, name))
  }

  async #need(serverId: string, named: string): Promise<DatabaseRow> {
    const row = await findDatabase(this.#options.db.kysely, serverId, {
      id: named,
      realName: realName(serverId, named),
    })
    if (!row) throw notFound(`Database ${named}`)
    return row
  }

  /** The same as `changeDatabase`. What is on a node stays as it is while its server is on the way to another one. */
  #changeStanding(row: DatabaseRow, change: DatabaseChange): Promise<boolean> {
    return this.#options.db.transact(async (trx) => {
      const home = row.node_id === null ? undefined : await homeOf(trx, row.server_id)
      if (home) mustStay(home)
      return changeDatabase(trx, row, change)
    })
  }

  #mustBeFree({ name, busy_until }: DatabaseRow): void {
    if (busy_until > this.#options.clock.now()) throw busy(name)
  }

  async #placeOf({ host_id, node_id }: DatabaseRow): Promise<Place> {
    const { db, nodes, sealer } = this.#options
    if (host_id !== null) {
      const host = await hostById(db.kysely, host_id)
      if (!host) throw conflict('The database host is gone.')
      return onHost(host, sealer)
    }
    if (node_id === null) throw new Error('A database is nowhere')
    const node: LiveNode | null = nodes.online(node_id)
    if (!node) throw nodeAway(await nodeName(db.kysely, node_id))
    return onNode(node)
  }

  async #sizesOf(rows: readonly DatabaseRow[]): Promise<Map<string, number>> {
    const [first] = rows
    if (!first) return new Map()
    try {
      const place = await this.#placeOf(first)
      return await place.sizes(rows.map(({ real_name }) => real_name))
    } catch (error) {
      this.#options.log.info({ err: error }, 'the sizes of databases are not known')
      return new Map()
    }
  }

  #startDeletion(row: DatabaseRow): Promise<boolean> {
    const deletion: Promise<boolean> = this.#finishDeletion(row).finally(() => this.#deletions.delete(deletion))
    this.#deletions.add(deletion)
    return deletion
  }

  /** Drops what is marked and held, then its row. False where its place cannot do it now: it is tried again. Never rejects. */
  async #finishDeletion(row: DatabaseRow): Promise<boolean> {
    const { db, log } = this.#options
    try {
      await (await this.#placeOf(row)).drop(gameDatabase(row))
      await removeDatabase(db.kysely, row.id)
      return true
    } catch (error) {
      log.warn({ database: row.real_name, err: error }, 'a database could not be deleted yet')
      await this.#letGo(row)
      return false
    }
  }

  /** Sets the password that was chosen, then keeps it. Where that fails it is tried again. */
  async #finishRotation(row: DatabaseRow): Promise<void> {
    const { db, sealer, log } = this.#options
    if (row.next_password === null) throw new Error('A rotation without a password')
    try {
      const password = sealer.open(row.next_password, sealedFor(row.id))
      await (await this.#placeOf(row)).setPassword(gameDatabase(row), password)
    } catch (error) {
      log.warn({ database: row.real_name, err: error }, 'a password could not be changed yet')
      await this.#letGo(row)
      throw error
    }
    const done = { state: 'ready' as const, busy_until: 0, password: row.next_password, next_password: null }
    if (!(await changeDatabase(db.kysely, row, done))) throw busy(row.name)
    this.#wake()
  }

  /** Leaves a held row to the next attempt: on a host after a pause, on a node whenever it is looked at; its coming back is one time. */
  async #letGo(row: DatabaseRow): Promise<void> {
    const { db, clock, log } = this.#options
    const again = row.host_id === null ? 0 : clock.now() + retryMs
    await changeDatabase(db.kysely, row, { busy_until: again }).catch((error: unknown) =>
      log.warn({ err: error }, 'a database is held for longer than needed'),
    )
  }

  #wake(): void {
    this.#again = true
    if (this.#stopped) return
    this.#reconciling ??= this.#reconcile().finally(() => {
      this.#reconciling = null
      if (this.#again) this.#wake()
    })
  }

  async #reconcile(): Promise<void> {
    const { db, clock, nodes, log } = this.#options
    while (this.#again && !this.#stopped) {
      this.#again = false
      try {
        // Those of a node that is away wait for it: its coming back wakes us.
        const here = nodes.all().map(({ id }) => id)
        for (const row of await unfinishedDatabases(db.kysely, clock.now(), here, reconcileAtOnceMax)) {
          if (this.#stopped) return
          await this.#putRight(row)
        }
      } catch (error) {
        log.warn({ err: error }, 'could not look after unfinished databases')
      }
    }
  }

  async #putRight(row: DatabaseRow): Promise<void> {
    const { db, clock } = this.#options
    const gone = (await homeOf(db.kysely, row.server_id)) === undefined
    const state = row.state === 'rotating' && !gone ? ('rotating' as const) : ('deleting' as const)
    const held = { state, busy_until: clock.now() + workLeaseMs }
    if (!(await changeDatabase(db.kysely, row, held))) return
    const mine = { ...row, ...held }
    if (state === 'deleting') await this.#finishDeletion(mine)
    // It has been said, and left to the next attempt.
    else await this.#finishRotation(mine).catch(() => undefined)
  }
}

const isPlaced = (row: DatabaseRow): row is PlacedDatabase => row.host !== null && row.port !== null

const placeKey = (row: DatabaseRow): string => row.host_id ?? row.node_id ?? ''

const gameDatabase = ({ real_name, username, remote }: DatabaseRow): GameDatabase => ({
  database: real_name,
  user: username,
  remote,
})

const busy = (name: string): AppError => conflict(`Database ${name} is just being changed. Try again in a moment.`)

function mustHaveRoom(server: string, { limit, current }: { limit: number; current: number }): void {
  if (current < limit) return
  if (limit === 0) throw conflict(`${server} may have no databases: ask the people who run this installation.`)
  throw conflict(
    `${server} has ${current === 1 ? 'a database' : `${current} databases`}, and may have ${limit}: delete one first.`,
  )
}

function mustStay({ name, transfer_id }: { name: string; transfer_id: string | null }): void {
  if (transfer_id !== null)
    throw conflict(
      `${name} is being moved to another node, and its databases with it: wait until that has finished, or have it cancelled.`,
    )
}

const hostsFull = (): AppError => conflict('Every database host is full: ask the people who run this installation.')

function mustBeNew(present: readonly DatabaseRow[], name: string, real: string): void {
  const known = present.find((row) => row.real_name === real)
  if (!known) return
  if (known.state === 'deleting')
    throw conflict(`A database ${name} is still being deleted: choose another name, or wait until it is gone.`)
  throw conflict(`There is a database ${known.name} already: choose another name.`)
}

async function within<T>(ms: number, work: Promise<T>, late: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late), ms)
  })
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
  }
}

import { type Client, createClient } from '../../client/index.ts'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import { ApiError } from '../../contract/exchange.ts'
import {
  type BackupFormat,
  type BackupReport,
  nodeBackupOperations,
  type RepositoryCheck,
  type SnapshotEntry,
} from '../../contract/node-backups.ts'
import { linkSend } from '../../http/index.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { ServerAccess } from '../access/index.ts'
import type { BackupRow, Changes, Database } from '../db/index.ts'
import { answerOf, type LiveNode, type Nodes, nodeById } from '../nodes/index.ts'
import type { Servers } from '../servers/index.ts'
import { beginGraceMs, deletionWaitMs, failedKeptMax, messageCharsMax, sweepEveryMs, sweptAtOnceMax } from './limits.ts'
import type { Places } from './places.ts'
import { isSnapshot, type Repositories } from './repositories.ts'
import { leavingOf, restoreWords, roomFor, usedOf } from './rules.ts'
import {
  backupOf,
  backupOfNode,
  backupsOf,
  finish,
  type Given,
  givenUp,
  insertBackup,
  markDeleted,
  markOrphans,
  markRunning,
  removeBackup,
  removeRepositories,
  setLocked,
  setRotate,
  settingsOf,
  unfinishedOf,
} from './store.ts'
import { progressOf } from './view.ts'

export interface BackupsOptions {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  nodes: Nodes
  servers: Servers
  places: Places
  repositories: Repositories
  /** How a backup is made unless somebody says. */
  engine: 'archive' | 'restic'
  /** How many backups a server may have unless it is given another limit. */
  limit: number
}

export interface NewBackup {
  name: string
  ignored: string
  /** Undefined for the installation's own. */
  format?: BackupFormat | undefined
  locked: boolean
}

/** What a folder of a backup holds; nothing while `reading` says how much of its archive has been read. */
export interface BackupContents {
  entries: SnapshotEntry[]
  more: boolean
  reading: { bytesDone: number; bytesTotal: number } | null
}

type ServerFacts = ServerAccess['row']
type BackupClient = Client<typeof nodeBackupOperations>

/** The backups of servers: which there are, and what may be done to them. Who may do it has been decided before. */
export class Backups implements AsyncDisposable {
  readonly #options: BackupsOptions
  readonly #clients = new WeakMap<LiveNode, BackupClient>()
  /** What nodes say of backups that are being made, of those alone that are really theirs. */
  readonly #live = new Map<string, BackupReport>()
  readonly #sweeps = new Queue()
  readonly #running = new Set<Promise<void>>()
  readonly #stops: (() => void)[]
  #sweepWaits = false
  #closed = false

  constructor(options: BackupsOptions) {
    this.#options = options
    const timer = setInterval(() => this.#regularly(), sweepEveryMs)
    timer.unref()
    this.#stops = [
      () => clearInterval(timer),
      options.nodes.observe({
        up: async (node) => {
          this.#background(this.#reconcile(node))
          this.#sweepSoon()
        },
        event: (node, event) => (event.type === 'backup' ? this.#heard(node, event.report) : Promise.resolve()),
      }),
      // A server that is deleted takes its backups with it.
      options.changes.on((change) => {
        if (change.of === 'server') this.#sweepSoon()
      }),
    ]
  }

  /** Newest first, with what is known of those that are being made. */
  async all({ id }: ServerFacts): Promise<{ row: BackupRow; live: BackupReport | null }[]> {
    return (await backupsOf(this.#options.db.kysely, id)).map((row) => ({ row, live: this.#liveOf(row) }))
  }

  /** Throws `not_found` where the server has no such backup. */
  async one(server: ServerFacts, id: string): Promise<{ row: BackupRow; live: BackupReport | null }> {
    const row = await backupOf(this.#options.db.kysely, server.id, id)
    if (!row) throw notFound(`Backup ${id}`)
    return { row, live: this.#liveOf(row) }
  }

  /** How many backups the server may have and has, and whether the oldest makes room. */
  async settings({ id }: ServerFacts): Promise<{ limit: number; current: number; rotate: boolean }> {
    const { kysely } = this.#options.db
    const { rotate, limit } = await settingsOf(kysely, id)
    return { limit: limit ?? this.#options.limit, current: usedOf(await backupsOf(kysely, id)), rotate }
  }

  async setRotate({ id }: ServerFacts, rotate: boolean): Promise<void> {
    await setRotate(this.#options.db.kysely, id, rotate)
  }

  /** Begins a backup and resolves to its id. Throws `conflict` at the limit, and where the node cannot begin. */
  async create(server: ServerFacts, input: NewBackup): Promise<string> {
    const { db, clock, places, servers } = this.#options
    await servers.mustStay(server.id)
    const node = await this.#nodeOf(server)
    const id = newId('bak')
    const format = input.format ?? (this.#options.engine === 'restic' ? 'restic' : 'zstd')
    if (format === 'restic') node.mustKnow('incrementalBackups')
    const row = {
      ...{ id, server_id: server.id, node_id: node.id, name: input.name, ignored: input.ignored, format },
      place: places.placeFor({ serverId: server.id, nodeId: node.id, id, format }),
      ...{ state: 'pending' as const, locked: input.locked ? 1 : 0, bytes: 0, files: 0, size: null, checksum: null },
      ...{ message: null, completed_at: null, deleted_at: null },
      ...{ copy_node: null, copy_place: null },
    }
    await db.transact(async (trx) => {
      const there = await backupsOf(trx, server.id)
      const { rotate, limit } = await settingsOf(trx, server.id)
      const room = roomFor(there, limit ?? this.#options.limit, rotate)
      if ('refused' in room) throw conflict(room.refused)
      const failed = there.filter(({ state }) => state === 'failed').slice(failedKeptMax - 1)
      await markDeleted(
        trx,
        failed.map((one) => one.id),
        clock.now(),
        { force: true },
      )
      await insertBackup(trx, { ...row, replaces: room.replaces, created_at: clock.now() })
    })
    try {
      const report = await answerOf(
        node.name,
        this.#client(node).startBackup({
          params: { server: server.id, backup: id },
          body: { format, ignored: row.ignored, ...(await this.#orderFor(row)) },
        }),
      )
      await this.#heard(node, report)
    } catch (error) {
      // Whether the node has begun all the same, nobody knows: it is told to forget it.
      await markDeleted(db.kysely, [id], clock.now(), { force: true })
      this.#sweepSoon()
      throw error
    }
    return id
  }

  /** Why the server cannot leave its node now, or null. */
  async obstacle({ id, name }: Pick<ServerFacts, 'id' | 'name'>): Promise<string | null> {
    const making = (await backupsOf(this.#options.db.kysely, id)).some(
      ({ state }) => state === 'pending' || state === 'running',
    )
    return making ? `A backup of ${name} is being made: move it when that has ended, or delete the backup.` : null
  }

  /** True where everything of it is gone already; else its node does so later. */
  async delete(server: ServerFacts, id: string): Promise<boolean> {
    const { db, clock } = this.#options
    const { row } = await this.one(server, id)
    await this.#refuseWhileRestoring(server)
    const given = await db.transact(async (trx) => {
      const now = await backupOf(trx, server.id, id)
      if (!now) throw notFound(`Backup ${id}`)
      if (now.locked === 1) throw conflict(`Backup ${now.name} is locked: unlock it before you delete it.`)
      return markDeleted(trx, [id], clock.now())
    })
    if (!given) throw notFound(`Backup ${id}`)
    this.#live.delete(id)
    const removal = this.#sweeps.run(() => this.#remove({ ...row, node_known: 1 }))
    return within(deletionWaitMs, removal)
  }

  async setLocked(server: ServerFacts, id: string, locked: boolean): Promise<BackupRow> {
    return this.#options.db.transact(async (trx) => {
      const there = await backupsOf(trx, server.id)
      const row = there.find((one) => one.id === id)
      if (!row) throw notFound(`Backup ${id}`)
      if (locked && leavingOf(there).has(id))
        throw conflict(`Backup ${row.name} makes room for one that is being made: wait until that has ended.`)
      await setLocked(trx, id, locked)
      return row
    })
  }

  /** Begins a restore, or with `dryRun` changes nothing. Resolves to what happens, in words. */
  async restore(
    server: ServerFacts,
    id: string,
    input: { files?: readonly string[] | undefined; deleteOthers: boolean; dryRun: boolean },
  ): Promise<string> {
    const { row } = await this.one(server, id)
    if (row.state !== 'ready' || row.checksum === null || row.size === null) throw notReady(row)
    const files = input.files ? [...input.files] : null
    const words = restoreWords({
      serverName: server.name,
      backup: { ...row, createdAt: isoTime(row.created_at), size: row.size },
      files,
      deleteOthers: input.deleteOthers,
    })
    if (input.dryRun) return words
    await this.#refuseUnlessStopped(server)
    const node = await this.#nodeOf(server)
    if (node.id !== row.node_id && this.#options.places.isLocal(row)) throw conflict(await this.#onItsWay(server, row))
    const order = await this.#orderFor(row)
    if (row.format === 'restic') node.mustKnow('incrementalBackups')
    await answerOf(
      node.name,
      this.#client(node).restoreBackup({
        params: { server: server.id, backup: id },
        body: {
          ...{ ...order, format: row.format, checksum: row.checksum, name: row.name, ignored: row.ignored },
          ...{ files, deleteOthers: input.deleteOthers },
        },
      }),
    )
    // Its events come over another stream: whoever looks now must not see a server that still seems to lie idle.
    const state = await answerOf(node.name, node.client.server({ params: { server: server.id } }))
    if (state.id === server.id) this.#options.servers.world.states.offer(node, state, server.suspended_at !== null)
    return words
  }

  /** What a folder of a backup holds, or how much of an archive has been read for that. Throws `not_found`, and `conflict` where no node reaches it. */
  async files(server: ServerFacts, id: string, path: string): Promise<BackupContents> {
    const { row } = await this.one(server, id)
    if (row.state !== 'ready' || row.checksum === null || row.size === null) throw notReady(row)
    try {
      return await this.#contentsOf(server, { ...row, checksum: row.checksum, size: row.size }, path)
    } catch (error) {
      const missing = error instanceof AppError && error.cause instanceof ApiError && error.cause.code === 'not_found'
      throw missing ? notFound(path === '' ? `What is in backup ${row.name}` : `${path} in backup ${row.name}`) : error
    }
  }

  /** Begins to check the server's incremental backups, unless that is under way. Throws `conflict` where it has none. */
  async check(server: ServerFacts, readData: boolean): Promise<RepositoryCheck> {
    return this.#options.repositories.check(await this.#newestSnapshot(server), readData)
  }

  /** How the last check stands; null where there was none. */
  async lastCheck(server: ServerFacts): Promise<RepositoryCheck | null> {
    return this.#options.repositories.lastCheck(await this.#newestSnapshot(server))
  }

  /** Removes what is given up, as far as nodes and stores can be reached. Resolves when that has been tried. */
  sweep(): Promise<void> {
    return this.#sweeps.run(async () => {
      const { db, clock } = this.#options
      await markOrphans(db.kysely, clock.now())
      for (const row of await givenUp(db.kysely, sweptAtOnceMax)) {
        if (this.#closed) return
        await this.#remove(row)
      }
      await removeRepositories(db.kysely)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const stop of this.#stops) stop()
    await Promise.all([...this.#running])
    await this.#sweeps.idle()
  }

  #liveOf(row: BackupRow): BackupReport | null {
    return this.#live.get(row.id) ?? null
  }

  /** Takes in what a node says of a backup. Only of its own: a word about another node's backup, or an ended one, changes nothing. */
  async #heard(node: LiveNode, report: BackupReport): Promise<void> {
    const { db, clock, places } = this.#options
    const known = this.#live.get(report.id)
    const { kysely } = db
    const row = await backupOfNode(kysely, node.id, report.server, report.id)
    if (!row || (row.state !== 'pending' && row.state !== 'running')) {
      if (known && !row) this.#live.delete(report.id)
      return
    }
    this.#live.set(report.id, report)
    if (report.state === 'pending') return
    if (report.state === 'running') {
      if (row.state === 'pending') await markRunning(kysely, row.id)
      return this.#tell(row, report)
    }
    const ready = report.state === 'ready' && report.size !== null && report.checksum !== null
    const outcome = {
      state: ready ? ('ready' as const) : ('failed' as const),
      ...{ bytes: report.bytesDone, files: report.files },
      ...{ size: ready ? report.size : null, checksum: ready ? report.checksum : null },
      message: report.message === null ? null : plain(report.message),
      completed_at: clock.now(),
    }
    const first = await finish(kysely, row.id, outcome)
    this.#live.delete(report.id)
    this.#tell(row, { ...report, state: outcome.state, message: outcome.message })
    if (!first) return
    if (ready) {
      if (row.replaces !== null && (await markDeleted(kysely, [row.replaces], clock.now()))) this.#sweepSoon()
    } else this.#background(this.#clear(row, node, places))
  }

  /** What a failed backup left behind goes; its row stays to say why. */
  async #clear(row: BackupRow, node: LiveNode, places: Places): Promise<void> {
    try {
      if (row.format === 'restic') return await this.#options.repositories.forget(row, node)
      if (!places.isLocal(row)) await places.remove(row)
      await this.#client(node).removeBackup({ params: { server: row.server_id, backup: row.id } })
    } catch (error) {
      this.#options.log.warn({ backup: row.id, err: error }, 'what a failed backup left behind could not be removed')
    }
  }

  /** Compares the backups that should be being made on the node with what it knows. Never rejects. */
  async #reconcile(node: LiveNode): Promise<void> {
    const { db, clock, log } = this.#options
    try {
      for (const row of await unfinishedOf(db.kysely, node.id)) {
        if (node.signal.aborted || this.#closed) return
        const report = await this.#ask(node, row)
        if (report) await this.#heard(node, report)
        else if (row.state === 'running' || clock.now() - row.created_at > beginGraceMs)
          await this.#heard(node, { ...emptyReport(row), state: 'failed', message: forgottenWords(node.name) })
      }
    } catch (error) {
      if (!node.signal.aborted) log.warn({ node: node.name, err: error }, 'could not compare backups with the node')
    }
  }

  /** Null where the node knows nothing of it. */
  async #ask(node: LiveNode, row: BackupRow): Promise<BackupReport | null> {
    try {
      const report = await this.#client(node).backup({ params: { server: row.server_id, backup: row.id } })
      return report.id === row.id && report.server === row.server_id ? report : null
    } catch (error) {
      if (error instanceof ApiError && error.code === 'not_found') return null
      throw error
    }
  }

  /** False where its node or its store cannot do it now. Never rejects. */
  async #remove(row: Given): Promise<boolean> {
    const { db, nodes, places, repositories, log } = this.#options
    try {
      if (row.format === 'restic') {
        if (row.copy_node !== null && row.copy_place !== null) {
          const other = nodes.online(row.copy_node)
          if (!other && (await nodeById(db.kysely, row.copy_node))) return false
          if (other) await repositories.forget({ ...row, place: row.copy_place }, other)
        }
        const nodeIsGone = row.node_known === 0
        const reaching = repositories.reaching(row, { nodeIsGone })
        if (reaching) await repositories.forget(row, reaching)
        else if (!nodeIsGone || !places.isLocal(row)) return false
        await removeBackup(db.kysely, row.id)
        return true
      }
      if (row.copy_node !== null) {
        const other = nodes.online(row.copy_node)
        if (!other && (await nodeById(db.kysely, row.copy_node))) return false
        if (other) await this.#client(other).removeBackup({ params: { server: row.server_id, backup: row.id } })
      }
      const node = nodes.online(row.node_id)
      if (node) await this.#client(node).removeBackup({ params: { server: row.server_id, backup: row.id } })
      else if (row.node_known > 0 && (places.isLocal(row) || row.state !== 'ready')) return false
      if (!places.isLocal(row)) await places.remove(row)
      await removeBackup(db.kysely, row.id)
      return true
    } catch (error) {
      log.warn({ backup: row.id, server: row.server_id, err: error }, 'a backup could not be removed yet')
      return false
    }
  }

  async #newestSnapshot(server: ServerFacts): Promise<BackupRow> {
    const row = (await backupsOf(this.#options.db.kysely, server.id)).find(isSnapshot)
    if (!row)
      throw conflict(
        `${server.name} has no incremental backups: plain archives are checked when they are restored. Make one of format restic first.`,
      )
    return row
  }

  /** Where a backup is kept, and what opens it. */
  async #orderFor(row: Pick<BackupRow, 'format' | 'place' | 'name' | 'server_id'>) {
    const { places, repositories } = this.#options
    return row.format === 'restic' ? repositories.orderFor(row) : { store: places.orderFor(row) }
  }

  #tell(row: BackupRow, report: BackupReport): void {
    const { percent, bytesDone, bytesTotal } = progressOf(report.state, report)
    this.#options.servers.news.emit({
      ...{ type: 'backup', serverId: row.server_id, backupId: row.id, state: report.state },
      ...{ percent, bytesDone, bytesTotal, size: report.size ?? 0, message: report.message && plain(report.message) },
    })
  }

  async #nodeOf(server: ServerFacts): Promise<LiveNode> {
    const described = await this.#options.servers.details.of(server.id)
    if (!described) throw notFound(`Server ${server.id}`)
    return this.#options.nodes.need({ id: described.row.node_id, name: described.row.node_name })
  }

  async #refuseUnlessStopped(server: ServerFacts): Promise<void> {
    const { status, message } = await this.#options.servers.status(server)
    if (status === 'offline' || status === 'sleeping') return
    if (status === 'unknown') throw conflict(`Cannot restore into ${server.name}. ${message ?? 'Its node is away.'}`)
    if (status === 'restoring') throw conflict(`A backup is being restored into ${server.name}: wait for its end.`)
    if (status === 'suspended') throw conflict(`${server.name} is suspended: ask the people who run this installation.`)
    throw conflict(`Cannot restore into ${server.name} while it is ${status}: stop it first.`)
  }

  async #refuseWhileRestoring(server: ServerFacts): Promise<void> {
    if ((await this.#options.servers.status(server)).status === 'restoring')
      throw conflict(`A backup is being restored into ${server.name}: delete backups when that has ended.`)
  }

  async #contentsOf(
    server: ServerFacts,
    row: BackupRow & { checksum: string; size: number },
    path: string,
  ): Promise<BackupContents> {
    const { checksum, size, format } = row
    if (format === 'restic')
      return { ...(await this.#options.repositories.files({ ...row, format }, path)), reading: null }
    const node = await this.#readerOf(server, row)
    node.mustKnow('archiveContents')
    const body = { store: this.#options.places.orderFor(row), format, checksum, size, path }
    return answerOf(node.name, this.#client(node).archiveFiles({ params: { server: server.id, backup: row.id }, body }))
  }

  /** A node that can read the archive: the one that made it, or of an archive in a store the one that has the server now. */
  async #readerOf(server: ServerFacts, row: BackupRow): Promise<LiveNode> {
    const own = this.#options.nodes.online(row.node_id)
    if (own) return own
    if (this.#options.places.isLocal(row))
      throw conflict(`The node that keeps backup ${row.name} is away: try again once it is back.`)
    return this.#nodeOf(server)
  }

  /** Why a backup that is kept on another node cannot be restored yet. */
  async #onItsWay({ name }: ServerFacts, row: BackupRow): Promise<string> {
    const keeper = await nodeById(this.#options.db.kysely, row.node_id)
    if (!keeper) return `Backup ${row.name} is lost: the node that kept it has been removed.`
    return this.#options.nodes.online(row.node_id)
      ? `Backup ${row.name} still follows ${name} from node ${keeper.name}: try again in a few minutes.`
      : `Backup ${row.name} is on node ${keeper.name}, which is away: it follows ${name} when that is back.`
  }

  #client(node: LiveNode): BackupClient {
    const client =
      this.#clients.get(node) ??
      createClient(nodeBackupOperations, { baseUrl: '', send: linkSend(() => node.link), checkReplies: true })
    this.#clients.set(node, client)
    return client
  }

  #regularly(): void {
    this.#sweepSoon()
    for (const node of this.#options.nodes.all()) this.#background(this.#reconcile(node))
  }

  #sweepSoon(): void {
    if (this.#sweepWaits || this.#closed) return
    this.#sweepWaits = true
    this.#background(
      this.#sweeps.idle().then(() => {
        this.#sweepWaits = false
        return this.sweep()
      }),
    )
  }

  #background(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => {
        if (!this.#closed) this.#options.log.error({ err: error }, 'work on backups failed')
      })
      .finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}

/** What stands in the way of using a backup that is not whole. */
export function notReady(row: Pick<BackupRow, 'name' | 'state'>): AppError {
  return row.state === 'failed'
    ? conflict(`Backup ${row.name} failed: there is nothing in it. Make another one.`)
    : conflict(`Backup ${row.name} is still being made: try again when it is ready.`)
}

const forgottenWords = (node: string): string =>
  `Node ${node} was restarted before the backup was complete, or never began it. Make another one.`

const emptyReport = (row: BackupRow): Omit<BackupReport, 'state' | 'message'> => ({
  ...{ id: row.id, server: row.server_id, bytesDone: 0, bytesTotal: 0, files: 0, size: null, checksum: null },
})

/** A node's words hold file names: nothing of them may move a terminal's cursor. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, messageCharsMax)
}

async function within(ms: number, finished: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([finished, late])
  } finally {
    clearTimeout(timer)
  }
}

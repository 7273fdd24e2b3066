import { type Client, createClient } from '../../client/index.ts'
import { conflict } from '../../contract/errors.ts'
import { ApiError } from '../../contract/exchange.ts'
import { nodeBackupMoves } from '../../contract/node-backup-moves.ts'
import { nodeBackupOperations, nodeBackupTransfers } from '../../contract/node-backups.ts'
import { linkDownload, linkSend, linkUpload } from '../../http/index.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Changes, Database } from '../db/index.ts'
import { answerOf, type LiveNode, type Nodes, nodeById } from '../nodes/index.ts'
import { followEveryMs, followedAtOnceMax } from './limits.ts'
import { Places } from './places.ts'
import type { Repositories } from './repositories.ts'
import { type Astray, astray, inRepository, keptForOthers, type Plain, setCopy, settle } from './store.ts'

export interface FollowingOptions {
  db: Database
  changes: Changes
  log: Log
  nodes: Nodes
  repositories: Repositories
}

/**
 * Backups on a node go where their server has gone: archives one by one, incremental ones with their whole repository, which gets a
 * name of its own since the new node may have begun another one. A row says which node keeps it, and which other one may have a copy:
 *
 *     kept ──server moved──▶ kept, copy at the new node ──whole there──▶ kept by the new node, copy at the old one ──removed──▶ kept
 *
 * Both changes are written down before anything is done that they are about, so whatever dies in between, nothing is lost and
 * nothing stays behind. Until it has arrived it is downloaded from where it is.
 */
export class Following implements AsyncDisposable {
  readonly #options: FollowingOptions
  readonly #stopping = new AbortController()
  readonly #stops: (() => void)[]
  #working: Promise<void> | null = null
  #again = false

  constructor(options: FollowingOptions) {
    this.#options = options
    const timer = setInterval(() => this.#look(), followEveryMs).unref()
    this.#stops = [
      () => clearInterval(timer),
      options.nodes.observe({
        up: async () => this.#look(),
        removed: async (trx, nodeId) => {
          const names = await keptForOthers(trx, nodeId)
          const [first] = names
          if (first !== undefined)
            throw conflict(
              `This node still keeps backups of ${first}${names.length > 1 ? ` and ${names.length - 1} more` : ''}, which ${names.length > 1 ? 'are' : 'is'} on another node: they follow while it is linked. Wait for that, or delete them.`,
            )
        },
      }),
      options.changes.on((change) => {
        if (change.of === 'server') this.#look()
      }),
    ]
  }

  /** What is under way is begun anew by the next panel. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop()
    this.#stopping.abort()
    await this.#working
  }

  #look(): void {
    this.#again = true
    if (this.#stopping.signal.aborted) return
    this.#working ??= this.#work().finally(() => {
      this.#working = null
      if (this.#again) this.#look()
    })
  }

  async #work(): Promise<void> {
    const { db, nodes, log } = this.#options
    while (this.#again && !this.#stopping.signal.aborted) {
      this.#again = false
      try {
        const here = nodes.all().map(({ id }) => id)
        for (const row of await astray(db.kysely, here, followedAtOnceMax)) {
          if (this.#stopping.signal.aborted) return
          await this.#follow(row)
        }
      } catch (error) {
        log.warn({ err: error }, 'could not look after backups whose server has moved')
      }
    }
  }

  /** One at a time: games play beside them. Never rejects. */
  async #follow(row: Astray): Promise<void> {
    const { nodes, log } = this.#options
    const { home } = row
    try {
      if (row.copy_node !== null && row.copy_node !== home && !(await this.#clear(row, row.copy_node))) return
      if (row.node_id === home) return
      const [source, target] = [nodes.online(row.node_id), nodes.online(home)]
      if (!source?.knows('wholeTransfers') || !target?.knows('wholeTransfers')) return
      const way = { source, target }
      if (row.format === 'restic' ? await this.#followTogether(row, way) : await this.#followAlone(row, way)) {
        log.info({ backup: row.id, server: row.server_id, from: source.name, to: target.name }, 'a backup has followed')
        // What it left is the copy now.
        this.#again = true
      }
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      log.info({ err: error, backup: row.id }, 'a backup could not follow its server yet')
    }
  }

  async #followAlone(row: Astray, { source, target }: Way): Promise<boolean> {
    const { kysely } = this.#options.db
    if (!isWhole(row)) return false
    const copy = { nodeId: target.id, place: row.place }
    if (!(await setCopy(kysely, row, copy))) return false
    await this.#bring(row, { source, target })
    if (await settle(kysely, row, copy)) return true
    await this.#remove(row, target)
    return false
  }

  /** All backups of a repository go together. */
  async #followTogether(row: Astray, { source, target }: Way): Promise<boolean> {
    const { db } = this.#options
    const all = await inRepository(db.kysely, row)
    // A row of before this round: its repository has gone with another one's.
    if (!all.some(({ id }) => id === row.id)) return false
    if (all.some(({ deleted_at, copy_node }) => deleted_at !== null || (copy_node ?? target.id) !== target.id))
      return false
    const known = all.find(({ copy_place }) => copy_place !== null)?.copy_place
    const copy = { nodeId: target.id, place: known ?? Places.repositoryPlace(newId('repo')) }
    const repository = Places.repositoryOf(copy)
    if (repository === undefined) return false
    for (const one of all) if (!(await setCopy(db.kysely, one, copy))) return false
    const signal = AbortSignal.any([this.#stopping.signal, source.signal, target.signal])
    const params = { server: row.server_id }
    const query = { repository: Places.repositoryOf(row) }
    const { content } = await answerOf(
      source.name,
      linkDownload(source.link, nodeBackupMoves.repositoryContent, { params, query }, { signal }),
    )
    await answerOf(
      target.name,
      linkUpload(
        target.link,
        nodeBackupMoves.arrivingRepository,
        { params: { ...params, repository } },
        { signal, content, headers: { 'content-type': 'application/octet-stream' } },
      ),
    )
    return db.transact(async (trx) => {
      // One that was given up meanwhile may have been read or not: then all of them are read again.
      const now = await inRepository(trx, row)
      if (now.length !== all.length || now.some(({ deleted_at }) => deleted_at !== null)) return false
      for (const one of all) if (!(await settle(trx, one, copy))) throw conflict('A backup has changed meanwhile.')
      return true
    })
  }

  async #bring(row: Plain, { source, target }: Way): Promise<void> {
    const params = { server: row.server_id, backup: row.id }
    const there = await answerOf(
      target.name,
      this.#client(target)
        .backup({ params })
        .catch((error: unknown) => {
          if (error instanceof ApiError && error.code === 'not_found') return null
          throw error
        }),
    )
    if (there?.state === 'ready' && there.checksum === row.checksum) return
    const signal = AbortSignal.any([this.#stopping.signal, source.signal, target.signal])
    const { content } = await answerOf(
      source.name,
      linkDownload(source.link, nodeBackupTransfers.backupContent, { params }, { signal }),
    )
    const { format, checksum, size, bytes, files } = row
    await answerOf(
      target.name,
      linkUpload(
        target.link,
        nodeBackupMoves.arrivingBackup,
        { params, query: { format, checksum, size, bytes, files } },
        { signal, content, headers: { 'content-type': 'application/octet-stream' } },
      ),
    )
  }

  /** False where the node that has the copy cannot remove it now. */
  async #clear(row: Astray, nodeId: string): Promise<boolean> {
    const { db, nodes } = this.#options
    const node = nodes.online(nodeId)
    if (node && row.format === 'restic')
      await this.#options.repositories.forget({ ...row, place: row.copy_place ?? row.place }, node)
    else if (node) await this.#remove(row, node)
    else if (await nodeById(db.kysely, nodeId)) return false
    return setCopy(db.kysely, row, null)
  }

  async #remove({ server_id: server, id: backup }: Astray | Plain, node: LiveNode): Promise<void> {
    await answerOf(node.name, this.#client(node).removeBackup({ params: { server, backup } }))
  }

  #client(node: LiveNode): Client<typeof nodeBackupOperations> {
    return createClient(nodeBackupOperations, { baseUrl: '', send: linkSend(() => node.link), checkReplies: true })
  }
}

interface Way {
  source: LiveNode
  target: LiveNode
}

const isWhole = (row: Astray): row is Astray & Plain =>
  row.format !== 'restic' && row.checksum !== null && row.size !== null && row.state === 'ready'

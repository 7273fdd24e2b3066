import { type Client, createClient } from '../../client/index.ts'
import { conflict } from '../../contract/errors.ts'
import { ApiError } from '../../contract/exchange.ts'
import {
  nodeBackupOperations,
  nodeBackupTransfers,
  type RepositoryCheck,
  type SnapshotEntry,
} from '../../contract/node-backups.ts'
import type { Outgoing } from '../../contract/operation.ts'
import { linkDownload, linkSend } from '../../http/index.ts'
import type { BackupRow } from '../db/index.ts'
import { answerOf, type LiveNode, type Nodes } from '../nodes/index.ts'
import { repositoryAskMs } from './limits.ts'
import type { Passwords } from './passwords.ts'
import type { Places } from './places.ts'

/** A whole snapshot: its id is its checksum. */
export type SnapshotRow = BackupRow & { format: 'restic'; checksum: string }

export const isSnapshot = (row: BackupRow): row is SnapshotRow => row.format === 'restic' && row.checksum !== null

/** What may be done to the servers' repositories of incremental backups, by a node that reaches them. */
export class Repositories {
  readonly #options: { nodes: Nodes; places: Places; passwords: Passwords }

  constructor(options: { nodes: Nodes; places: Places; passwords: Passwords }) {
    this.#options = options
  }

  /** What opens the repository that the backup is in. */
  async orderFor(row: Pick<BackupRow, 'place' | 'name' | 'server_id'>) {
    const { places, passwords } = this.#options
    return { store: places.orderFor(row), password: (await passwords.of(row.server_id)).reveal() }
  }

  /** What a folder of it holds. Throws `not_found`, and `conflict` where no node reaches it. */
  async files(row: SnapshotRow, path: string): Promise<{ entries: SnapshotEntry[]; more: boolean }> {
    const node = this.#reaching(row)
    const body = { ...(await this.orderFor(row)), snapshot: row.checksum, path }
    return answerOf(node.name, this.#client(node).backupFiles({ params: paramsOf(row), body }))
  }

  /** It as an archive. */
  async download(row: SnapshotRow, headers: Record<string, string>, signal: AbortSignal): Promise<Outgoing> {
    const node = this.#reaching(row)
    const body = { ...(await this.orderFor(row)), snapshot: row.checksum }
    const params = paramsOf(row)
    const { pass } = await answerOf(node.name, this.#client(node).openBackup({ params, body }))
    const reply = await answerOf(
      node.name,
      linkDownload(node.link, nodeBackupTransfers.backupDump, { params, query: { pass } }, { signal }),
    )
    return { status: 200, headers, content: reply.content }
  }

  /** Gives it up. Throws where its node, or one that reaches its store, cannot do that now. */
  async forget(row: BackupRow, node: LiveNode): Promise<void> {
    const body = await this.orderFor(row)
    await answerOf(node.name, this.#client(node).forgetBackup({ params: paramsOf(row), body }))
  }

  /** Begins a check of the repository that this backup is in. */
  async check(row: BackupRow, readData: boolean): Promise<RepositoryCheck> {
    const node = this.#reaching(row)
    const body = { ...(await this.orderFor(row)), readData }
    return answerOf(node.name, this.#client(node).checkRepository({ params: { server: row.server_id }, body }))
  }

  /** Null where there was none since the node was started. */
  async lastCheck(row: BackupRow): Promise<RepositoryCheck | null> {
    const node = this.#reaching(row)
    const last = this.#client(node).repositoryCheck({ params: { server: row.server_id } })
    return answerOf(
      node.name,
      last.catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'not_found') return null
        throw error
      }),
    )
  }

  /** Its own node, or where that is gone for ever and the repository is in a store, any. */
  reaching(row: Pick<BackupRow, 'node_id' | 'place'>, { nodeIsGone }: { nodeIsGone: boolean }): LiveNode | undefined {
    const { nodes, places } = this.#options
    const own = nodes.online(row.node_id)
    if (own || !nodeIsGone || places.isLocal(row)) return own ?? undefined
    return [...nodes.all()].find((node) => node.knows('incrementalBackups'))
  }

  #reaching(row: BackupRow): LiveNode {
    const node = this.reaching(row, { nodeIsGone: true })
    if (!node) throw conflict(`The node that keeps backup ${row.name} is away: try again once it is back.`)
    node.mustKnow('incrementalBackups')
    return node
  }

  #client(node: LiveNode): Client<typeof nodeBackupOperations> {
    return createClient(nodeBackupOperations, {
      ...{ baseUrl: '', send: linkSend(() => node.link, repositoryAskMs), checkReplies: true },
    })
  }
}

const paramsOf = (row: BackupRow) => ({ server: row.server_id, backup: row.id })

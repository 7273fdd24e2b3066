import { apiPrefix } from '../../contract/api/index.ts'
import { conflict, forbidden } from '../../contract/errors.ts'
import { nodeBackupTransfers } from '../../contract/node-backups.ts'
import type { Outgoing, RequestFacts } from '../../contract/operation.ts'
import { pathOf } from '../../contract/path.ts'
import { attachmentHeader, linkDownload, ranged } from '../../http/index.ts'
import type { Access, Caller, PanelContexts, ServerAccess, Tickets } from '../access/index.ts'
import type { BackupRow, Changes } from '../db/index.ts'
import { answerOf, type Nodes } from '../nodes/index.ts'
import { type Backups, notReady } from './backups.ts'
import { downloadLinkMs } from './limits.ts'
import { Places } from './places.ts'
import { isSnapshot, type Repositories } from './repositories.ts'

export interface DownloadsOptions {
  backups: Backups
  nodes: Nodes
  places: Places
  repositories: Repositories
  access: Pick<Access, 'serverAccess' | 'stillValid'>
  tickets: Tickets
  changes: Changes
  publicUrl(): string
}

/** Archives on their way to people. */
export class Downloads {
  readonly #options: DownloadsOptions

  constructor(options: DownloadsOptions) {
    this.#options = options
  }

  /** An address of the archive that works for a short time, for as long as the caller may download it. */
  async link(caller: Caller, server: ServerAccess, id: string): Promise<string> {
    const { backups, tickets, publicUrl } = this.#options
    const { row } = await backups.one(server.row, id)
    if (row.state !== 'ready') throw notReady(row)
    const ticket = await tickets.issue(caller, {
      purpose: 'backups.download',
      serverId: server.row.id,
      subject: { backup: id },
      lifetimeMs: downloadLinkMs,
    })
    const path = '/servers/{serverId}/backups/{backup}/content'
    return publicUrl() + apiPrefix + pathOf(path, { serverId: server.row.id, backup: id }, { ticket })
  }

  /** The bytes, from the node or the store that keeps them. They end when the caller's right to them does. */
  async content(
    { caller, server, ticket }: PanelContexts['ticket'],
    id: string,
    request: RequestFacts,
  ): Promise<Outgoing> {
    if (ticket.subject.backup !== id) throw forbidden('This link is for another backup. Ask for one for this backup.')
    const { row } = await this.#options.backups.one(server.row, id)
    if (row.state !== 'ready' || row.size === null || row.checksum === null) throw notReady(row)
    const entitled = this.#whileEntitled(caller, server.row.id)
    const signal = AbortSignal.any([request.signal, entitled.signal])
    const headers = {
      'content-type': 'application/octet-stream',
      'content-disposition': attachmentHeader(Places.fileName(row.name, row.format)),
    }
    try {
      const outgoing = isSnapshot(row)
        ? await this.#options.repositories.download(row, headers, signal)
        : this.#options.places.isLocal(row)
          ? await this.#fromNode(row, request, headers, signal)
          : this.#fromStore({ ...row, size: row.size, checksum: row.checksum }, request, headers, signal)
      if (outgoing.content === null) entitled.stop()
      return { ...outgoing, content: outgoing.content && endingWith(outgoing.content, entitled.stop) }
    } catch (error) {
      entitled.stop()
      throw error
    }
  }

  async #fromNode(
    row: BackupRow,
    request: RequestFacts,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Outgoing> {
    const node = this.#options.nodes.online(row.node_id)
    if (!node) throw conflict(`The node that keeps backup ${row.name} is away: try again once it is back.`)
    const reply = await answerOf(
      node.name,
      linkDownload(
        node.link,
        nodeBackupTransfers.backupContent,
        { params: { server: row.server_id, backup: row.id } },
        { signal, headers: { range: request.header('range'), 'if-range': request.header('if-range') } },
      ),
    )
    const passed = ['content-length', 'content-range', 'accept-ranges', 'etag'].flatMap((name) => {
      const value = reply.header(name)
      return value === undefined ? [] : [[name, value] as const]
    })
    return {
      status: reply.status === 206 ? 206 : reply.status === 416 ? 416 : 200,
      headers: { ...headers, ...Object.fromEntries(passed) },
      content: reply.content,
    }
  }

  #fromStore(
    row: BackupRow & { size: number; checksum: string },
    request: RequestFacts,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Outgoing {
    const source = {
      sizeBytes: row.size,
      etag: `"${row.checksum}"`,
      open: (first: number, last: number) => this.#options.places.read(row, { first, last, signal }),
    }
    return ranged(source, request, headers)
  }

  /** Aborts when the caller's key, session or permission ends, whatever ends it. */
  #whileEntitled(caller: Caller, serverId: string): { signal: AbortSignal; stop(): void } {
    const { access, changes } = this.#options
    const ended = new AbortController()
    const check = async (): Promise<void> => {
      const server = (await access.stillValid(caller)) ? await access.serverAccess(caller, serverId) : null
      if (!server?.permissions.has('backups.download')) ended.abort(forbidden('Your right to this download has ended.'))
    }
    const recheck = (): void => {
      check().catch((error: unknown) => ended.abort(error))
    }
    const stops = [changes.on(recheck), changes.gap.on(recheck)]
    return {
      signal: ended.signal,
      stop() {
        for (const stop of stops) stop()
      },
    }
  }
}

async function* endingWith(
  content: AsyncIterable<Uint8Array>,
  ended: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* content
  } finally {
    ended()
  }
}

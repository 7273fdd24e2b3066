import { serverOperations } from '../../contract/api/servers.ts'
import { invalidRequest, notFound } from '../../contract/errors.ts'
import type { Database, ServerRow } from '../db/index.ts'
import { answerOf, type LiveNode, type Nodes, nodeById } from '../nodes/index.ts'
import { mustAllowCommand, type Servers } from '../servers/index.ts'
import { shownLine } from './line.ts'

type Target = Pick<ServerRow, 'id' | 'name' | 'node_id'>

/** What a server writes and takes. */
export class Consoles {
  readonly #db: Database
  readonly #nodes: Nodes
  readonly #servers: Servers

  constructor({ db, nodes, servers }: { db: Database; nodes: Nodes; servers: Servers }) {
    this.#db = db
    this.#nodes = nodes
    this.#servers = servers
  }

  /** The newest lines, oldest first, whatever the server does. `conflict` while its node is away: the log is there. */
  async newest(row: Target, size: number): Promise<string[]> {
    const node = await this.#nodeOf(row)
    const lines = await answerOf(node.name, node.client.console({ params: { server: row.id }, query: { size } }))
    return lines.slice(-size).map((line) => shownLine(line).text)
  }

  /** Sends one line. Throws `invalid_request` for what is not one line and `conflict` where the server does not run. */
  async send(row: ServerRow, command: string): Promise<void> {
    const line = serverOperations.consoleCommand.body.safeParse({ command })
    if (!line.success)
      throw invalidRequest('command', 'must be one line of at most 4096 characters without control characters')
    mustAllowCommand(row.name, await this.#servers.status(row))
    const node = await this.#nodeOf(row)
    await answerOf(node.name, node.client.command({ params: { server: row.id }, body: line.data }))
  }

  async #nodeOf(row: Target): Promise<LiveNode> {
    const live = this.#nodes.online(row.node_id)
    if (live) return live
    const node = await nodeById(this.#db.kysely, row.node_id)
    if (!node) throw notFound(`Server ${row.id}`)
    return this.#nodes.need(node)
  }
}

import { isIP } from 'node:net'
import type { sftpOperations } from '../../contract/api/sftp.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { answerOf, type Nodes, nodeById } from '../nodes/index.ts'
import type { Sftp } from './sftp.ts'
import { userNameOf } from './user-name.ts'

export const sftpHandlers = (world: {
  db: Database
  nodes: Nodes
  sftp: Sftp
  /** Where people reach the panel: also the nodes that run on the same machine. */
  publicUrl(): string
}): Handlers<typeof sftpOperations, PanelContexts> => ({
  async sftpDetails({ caller, server }) {
    const row = await nodeById(world.db.kysely, server.row.node_id)
    if (!row) throw notFound(`Server ${server.row.id}`)
    const node = world.nodes.need(row)
    const served = await answerOf(node.name, world.sftp.at(node))
    const user = userNameOf(caller.email, server.row.id)
    if (!served) return { enabled: false, user, host: null, port: null, fingerprint: null, url: null }
    const host =
      served.address?.host ??
      row.public_address ??
      (isLoopback(node.link.remoteAddress) ? new URL(world.publicUrl()).hostname.replace(/^\[|\]$/g, '') : null)
    const port = served.address?.port ?? served.port
    const url = host && `sftp://${encodeURIComponent(user)}@${isIP(host) === 6 ? `[${host}]` : host}:${port}/`
    return { enabled: true, user, host, port, fingerprint: served.fingerprint, url }
  },
})

const isLoopback = (address: string): boolean => /^(?:::ffff:)?127\.|^::1$/.test(address)

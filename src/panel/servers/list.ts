import { invalidRequest } from '../../contract/errors.ts'
import type { Access, Caller } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { serversPerPage } from './limits.ts'
import { everyServer, listServers, type PagePosition, type ServerDetail } from './store.ts'

export interface Page {
  servers: ServerDetail[]
  /** Ask for what comes after with it; null at the end. */
  nextCursor: string | null
}

/** Every server that the caller may see, oldest first, a page at a time. The query proposes, access decides. */
export async function visibleServers(
  { db, access }: { db: Database; access: Pick<Access, 'serverAccess'> },
  caller: Caller,
  asked: { limit?: number | undefined; cursor?: string | undefined } = {},
): Promise<Page> {
  const most = asked.limit ?? serversPerPage
  const reach = { userId: caller.userId, workspaceId: caller.via.kind === 'token' ? caller.via.workspaceId : null }
  const servers: ServerDetail[] = []
  let after = asked.cursor === undefined ? null : positionOf(asked.cursor)
  for (;;) {
    const proposed = await listServers(db.kysely, reach, after, most + 1)
    for (const row of proposed) {
      if (!(await access.serverAccess(caller, row.id))) continue
      const last = servers.at(-1)
      if (servers.length === most && last) return { servers, nextCursor: cursorOf(last) }
      servers.push(row)
    }
    const last = proposed.at(-1)
    if (!last || proposed.length <= most) return { servers, nextCursor: null }
    after = { createdAt: last.created_at, id: last.id }
  }
}

/** Every server of the installation, oldest first, a page at a time. */
export async function allServers(
  db: Database,
  asked: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page> {
  const most = asked.limit ?? serversPerPage
  const rows = await everyServer(db.kysely, asked.cursor === undefined ? null : positionOf(asked.cursor), most + 1)
  const servers = rows.slice(0, most)
  const last = servers.at(-1)
  return { servers, nextCursor: rows.length > most && last ? cursorOf(last) : null }
}

const cursorOf = (row: ServerDetail): string => `${row.created_at}-${row.id}`

function positionOf(cursor: string): PagePosition {
  const match = /^([0-9]{1,15})-([0-9a-f]{8})$/.exec(cursor)
  if (!match?.[1] || !match[2]) throw invalidRequest('query.cursor', 'is not a cursor that a list gave')
  return { createdAt: Number(match[1]), id: match[2] }
}

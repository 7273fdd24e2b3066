import { z } from 'zod'
import type { ServerCrash, ServerPlayers, watchingOperations } from '../../contract/api/watching.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database, IncidentRow } from '../db/index.ts'
import { type Servers, statusNow } from '../servers/index.ts'
import { keptTemplate } from '../templates/index.ts'
import type { Watching } from './watching.ts'

export const watchingHandlers = ({
  db,
  servers,
  watching,
}: {
  db: Database
  servers: Pick<Servers, 'world' | 'detail'>
  watching: Watching
}): Handlers<typeof watchingOperations, PanelContexts> => ({
  async players({ server: { row } }) {
    const players = servers.world.states.playersOf(row.node_id, row.id)
    if (players) return { ...players, at: isoTime(players.at), message: null }
    const detail = await servers.detail(row.id)
    if (!detail) throw notFound(`Server ${row.id}`)
    const template = await keptTemplate(db.kysely, detail.template_hash)
    return nobodyKnows(whyUnknown(template.query !== undefined, statusNow(servers.world, detail).status))
  },
  crashes: async ({ server }) => (await watching.of(server.row.id)).map(crashView),
})

function whyUnknown(asked: boolean, status: string): string {
  if (!asked) return 'This kind of server is not asked who plays.'
  if (status !== 'running') return `The server is ${status}: nobody plays.`
  return 'The game has not answered yet. It is asked every few seconds; its query may be switched off.'
}

const nobodyKnows = (message: string): z.input<typeof ServerPlayers> => ({
  ...{ online: null, max: null, names: [], description: null, version: null },
  ...{ latencyMs: null, at: null, message },
})

const crashView = (row: IncidentRow): z.input<typeof ServerCrash> => ({
  id: row.id,
  kind: row.kind,
  at: isoTime(row.at),
  message: row.message,
  code: row.code,
  signal: row.signal,
  outOfMemory: row.out_of_memory === 1,
  restarted: row.restarts === 1,
  lines: Lines.parse(JSON.parse(row.lines)),
})

const Lines = z.array(z.string())

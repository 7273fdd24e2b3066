import type { statsOperations } from '../../contract/api/stats.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Stats } from './stats.ts'

export const statsHandlers = (stats: Stats): Handlers<typeof statsOperations, PanelContexts> => ({
  serverStats: ({ server, query }) => stats.of(server.row.id, query.range),
})

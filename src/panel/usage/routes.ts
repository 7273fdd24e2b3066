import type { usageOperations } from '../../contract/api/usage.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { UsageBook } from './usage.ts'

export const usageRoutes = (usage: UsageBook): Handlers<typeof usageOperations, PanelContexts> => ({
  usage: ({ workspace, query }) => usage.of(workspace.id, query.days),
})

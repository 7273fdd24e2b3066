import type { abuseOperations } from '../../contract/api/abuse.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Abuse } from './abuse.ts'

export const abuseRoutes = (abuse: Abuse): Handlers<typeof abuseOperations, PanelContexts> => ({
  reportAbuse: ({ body, request }) => abuse.tell(body, request.address),
  abuseReports: ({ query }) => abuse.list(query),
  updateAbuseReport: ({ params, body }) => abuse.update(params.report, body),
})

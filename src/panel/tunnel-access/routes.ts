import type { tunnelAccessOperations } from '../../contract/api/tunnel-access.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { TunnelAccess } from './tunnel-access.ts'

export const tunnelAccessRoutes = (rules: TunnelAccess): Handlers<typeof tunnelAccessOperations, PanelContexts> => ({
  tunnelAccess: ({ workspace, params }) => rules.show(workspace, params.tunnel),
  updateTunnelAccess: ({ workspace, params, body }) => rules.update(workspace, params.tunnel, body),
  putAccessUser: ({ workspace, params, body }) => rules.putUser(workspace, params.tunnel, params.user, body.password),
  deleteAccessUser: ({ workspace, params }) => rules.deleteUser(workspace, params.tunnel, params.user),
  endAccessSessions: ({ workspace, params }) => rules.endSessions(workspace, params.tunnel),
})

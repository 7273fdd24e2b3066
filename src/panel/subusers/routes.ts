import type { subuserOperations } from '../../contract/api/subusers.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Subusers } from './subusers.ts'

export function subuserHandlers(subusers: Subusers): Handlers<typeof subuserOperations, PanelContexts> {
  return {
    subusers: ({ server }) => subusers.all(server),
    subuser: ({ server, params }) => subusers.one(server, params.subuser),
    createSubuser: async ({ caller, server, body }) => {
      const { id, invitation } = await subusers.add(caller, server, body.userEmail, body.permissions)
      return {
        message: invitation?.message ?? 'Subuser created',
        userId: id,
        mailed: invitation?.mailed ?? false,
        invitationUrl: invitation?.url ?? null,
      }
    },
    updateSubuser: async ({ caller, server, params, body }) => {
      await subusers.update(caller, server, params.subuser, body.permissions)
      return { message: 'Permissions updated' }
    },
    deleteSubuser: async ({ caller, server, params }) => {
      await subusers.remove(caller, server, params.subuser)
      return { message: 'Subuser removed successfully' }
    },
  }
}

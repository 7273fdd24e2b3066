import type { domainOperations } from '../../contract/api/domains.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Domains } from './domains.ts'

export const domainHandlers = (domains: Domains): Handlers<typeof domainOperations, PanelContexts> => ({
  domains: async ({ workspace }) => ({ domains: await domains.all(workspace.id) }),
  createDomain: ({ workspace, body }) => domains.create(workspace.id, body),
  domain: ({ workspace, params }) => domains.one(workspace.id, params.domain),
  updateDomain: ({ workspace, params, body }) => domains.move(workspace.id, params.domain, body.tunnel),
  checkDomain: ({ workspace, params }) => domains.check(workspace.id, params.domain),
  async deleteDomain({ workspace, params }) {
    await domains.remove(workspace.id, params.domain)
    return { id: params.domain, deleted: true }
  },
})

import type { webhookOperations } from '../../contract/api/webhooks.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Webhooks } from './webhooks.ts'

export const webhookHandlers = (webhooks: Webhooks): Handlers<typeof webhookOperations, PanelContexts> => ({
  webhooks: async ({ workspace }) => ({ webhooks: await webhooks.all(workspace.id) }),
  createWebhook: ({ caller, workspace, body }) => webhooks.create(caller, workspace.id, body),
  webhook: ({ workspace, params }) => webhooks.one(workspace.id, params.webhook),
  updateWebhook: ({ workspace, params, body }) => webhooks.update(workspace.id, params.webhook, body),
  async deleteWebhook({ workspace, params }) {
    await webhooks.remove(workspace.id, params.webhook)
    return { id: params.webhook, deleted: true }
  },
  rotateWebhookSecret: ({ workspace, params }) => webhooks.rotate(workspace.id, params.webhook),
  testWebhook: ({ workspace, params }) => webhooks.test(workspace.id, params.webhook),
  webhookDeliveries: ({ workspace, params, query }) => webhooks.deliveries(workspace.id, params.webhook, query),
  redeliver: ({ workspace, params }) => webhooks.redeliver(workspace.id, params.webhook, params.delivery),
})

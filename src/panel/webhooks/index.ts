// What the other slices use of webhooks.
export { webhookHandlers } from './routes.ts'
export { type WebhookEvent, Webhooks } from './webhooks.ts'

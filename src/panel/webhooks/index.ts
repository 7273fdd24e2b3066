// What the other slices use of webhooks.
export { reachableBy } from './networks.ts'
export { webhookHandlers } from './routes.ts'
export { type WebhookEvent, Webhooks } from './webhooks.ts'

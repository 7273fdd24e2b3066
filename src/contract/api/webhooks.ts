import { z } from 'zod'
import { displayName, Email, PageQuery, Time } from '../fields.ts'
import { operation } from '../operation.ts'

/** What a workspace can be told of. */
export const webhookEvents = [
  'server.started',
  'server.stopped',
  'server.crashed',
  'server.hung',
  'server.install_failed',
  'backup.completed',
  'backup.failed',
  'schedule.failed',
  'node.away',
  'node.back',
  'disk.nearly_full',
  'quota.nearly_used',
  'tunnel.up',
  'tunnel.down',
] as const
export const WebhookEventName = z.enum(webhookEvents)
export type WebhookEventName = z.output<typeof WebhookEventName>

export const webhookFormats = ['json', 'discord', 'mail'] as const

const Events = z.array(WebhookEventName).min(1).max(webhookEvents.length)
const Label = displayName(80)
const Url = z
  .url({ protocol: /^https?$/, error: 'must begin with https:// or http://' })
  .max(2000)
  .refine((url) => {
    // What is no URL has been refused for that.
    if (!URL.canParse(url)) return true
    const { username, password } = new URL(url)
    return username === '' && password === ''
  }, 'must hold no user name and no password')
  .meta({
    description: 'Only public addresses are called, unless the people who run the installation allow others',
    example: 'https://hooks.example.org/pharos',
  })

export const Webhook = z
  .strictObject({
    id: z.string(),
    label: z.string().nullable(),
    format: z.enum(webhookFormats),
    url: z.string().nullable().meta({ description: 'Null with format mail' }),
    to: z.string().nullable().meta({ description: 'With format mail: a member’s address' }),
    events: z.array(WebhookEventName),
    enabled: z.boolean(),
    disabledWhy: z.string().nullable().meta({ description: 'Why it was switched off, in words' }),
    failingSince: Time.nullable().meta({ description: 'When deliveries began to fail; null while they work' }),
    waiting: z.int().meta({ description: 'Deliveries that are still to be made' }),
    dropped: z.int().meta({ description: 'Events that were not kept for it, since too many waited' }),
    createdAt: Time,
  })
  .meta({ id: 'Webhook' })

export const NewWebhook = z
  .discriminatedUnion('format', [
    z.strictObject({ format: z.literal('json'), url: Url, events: Events, label: Label.optional() }),
    z.strictObject({ format: z.literal('discord'), url: Url, events: Events, label: Label.optional() }),
    z.strictObject({ format: z.literal('mail'), to: Email, events: Events, label: Label.optional() }),
  ])
  .meta({ id: 'NewWebhook' })

export const WebhookSecret = z
  .string()
  .meta({ description: 'Deliveries are signed with it; shown here and nowhere else', example: 'whsec_…' })

export const WebhookDelivery = z
  .strictObject({
    id: z.string().meta({ description: 'Also in `Pharos-Delivery`: the same however often it is tried' }),
    event: z.string(),
    state: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.int(),
    createdAt: Time,
    lastAt: Time.nullable().meta({ description: 'When it was tried last' }),
    nextAt: Time.nullable().meta({ description: 'When it is tried next' }),
    status: z.int().nullable().meta({ description: 'Of the last answer' }),
    message: z.string().nullable().meta({ description: 'What went wrong' }),
    tookMs: z.int().nullable(),
    content: z.unknown().meta({ description: 'The event, as format json sends it' }),
  })
  .meta({ id: 'WebhookDelivery' })

const OfWebhook = z.object({ webhook: z.string() })
const base = { family: 'control', tag: 'Webhooks' } as const
const manage = { workspace: 'webhooks.manage' } as const
const read = { workspace: 'webhooks.read' } as const

export const webhookOperations = {
  webhooks: operation({
    ...base,
    method: 'GET',
    path: '/webhooks',
    summary: 'Who is told of what happens in the workspace',
    access: read,
    reply: z.strictObject({ webhooks: z.array(Webhook) }),
    errors: [],
  }),
  createWebhook: operation({
    ...base,
    method: 'POST',
    path: '/webhooks',
    summary: 'Have a URL, a Discord channel or a member told of events',
    description:
      'Each delivery carries `Pharos-Signature: t=<seconds>,v1=<hex>`: the HMAC-SHA256 of `<seconds>.<body>` under the secret. It is tried again with growing pauses until something answers 2xx within ten seconds, and may come more than once: `Pharos-Delivery` tells it is the same.',
    access: manage,
    body: NewWebhook,
    reply: z.strictObject({ webhook: Webhook, secret: WebhookSecret.nullable() }),
    errors: ['conflict'],
  }),
  webhook: operation({
    ...base,
    method: 'GET',
    path: '/webhooks/{webhook}',
    summary: 'One of them',
    access: read,
    params: OfWebhook,
    reply: Webhook,
    errors: ['not_found'],
  }),
  updateWebhook: operation({
    ...base,
    method: 'PATCH',
    path: '/webhooks/{webhook}',
    summary: 'Change it, or switch it off and on again',
    access: manage,
    params: OfWebhook,
    body: z.strictObject({
      label: Label.nullable().optional(),
      url: Url.optional(),
      events: Events.optional(),
      enabled: z.boolean().optional(),
    }),
    reply: Webhook,
    errors: ['not_found', 'conflict'],
  }),
  deleteWebhook: operation({
    ...base,
    method: 'DELETE',
    path: '/webhooks/{webhook}',
    summary: 'Delete it with its deliveries; those that wait are not made',
    access: manage,
    params: OfWebhook,
    reply: z.strictObject({ id: z.string(), deleted: z.literal(true) }),
    errors: ['not_found'],
  }),
  rotateWebhookSecret: operation({
    ...base,
    method: 'POST',
    path: '/webhooks/{webhook}/secret',
    summary: 'Make a new secret; for a day deliveries are signed with the old one as well',
    access: manage,
    params: OfWebhook,
    reply: z.strictObject({ secret: WebhookSecret, oldUntil: Time }),
    errors: ['not_found', 'conflict'],
  }),
  testWebhook: operation({
    ...base,
    method: 'POST',
    path: '/webhooks/{webhook}/tests',
    summary: 'Deliver an event `webhook.test`, to see whether it arrives',
    access: manage,
    params: OfWebhook,
    reply: WebhookDelivery,
    errors: ['not_found', 'conflict'],
  }),
  webhookDeliveries: operation({
    ...base,
    method: 'GET',
    path: '/webhooks/{webhook}/deliveries',
    summary: 'What was delivered, what waits and what failed, newest first; of the last week',
    access: read,
    params: OfWebhook,
    query: z.object(PageQuery),
    reply: z.strictObject({ deliveries: z.array(WebhookDelivery), nextCursor: z.string().nullable() }),
    errors: ['not_found'],
  }),
  redeliver: operation({
    ...base,
    method: 'POST',
    path: '/webhooks/{webhook}/deliveries/{delivery}/redeliveries',
    summary: 'Make a delivery once more, now',
    access: manage,
    params: OfWebhook.extend({ delivery: z.string() }),
    reply: WebhookDelivery,
    errors: ['not_found', 'conflict'],
  }),
}

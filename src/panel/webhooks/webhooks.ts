import { z } from 'zod'
import {
  type NewWebhook,
  type Webhook,
  type WebhookDelivery,
  WebhookEventName,
  type webhookOperations,
} from '../../contract/api/webhooks.ts'
import { conflict, invalidRequest, notFound } from '../../contract/errors.ts'
import { isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { newSecret, Secret } from '../../lib/secret.ts'
import type { Caller } from '../access/index.ts'
import type { Store, WebhookDeliveryRow } from '../db/index.ts'
import { Content } from './content.ts'
import { Deliverer } from './deliverer.ts'
import {
  eventAgeMaxMs,
  messageCharsMax,
  oldSecretMs,
  pageDefault,
  waitingMax,
  wantedEveryMs,
  webhooksMax,
} from './limits.ts'
import {
  countWaiting,
  countWebhooks,
  deliveriesOf,
  deliveryOf,
  enabledWebhooks,
  insertDelivery,
  insertWebhook,
  isMember,
  noteDropped,
  removeWebhook,
  setDelivery,
  setWebhook,
  slugOf,
  type WebhookWithCount,
  webhookOf,
  webhooksOf,
} from './store.ts'
import type { WebhooksWorld } from './world.ts'

/** Something that happened in a workspace. */
export interface WebhookEvent extends Pick<Content, 'message' | 'subject' | 'server'> {
  workspaceId: string
  event: WebhookEventName
  /** The same for the same event, whoever sees it and however often. */
  key: string
  /** When it happened, ms since 1970. */
  at: number
}

type Input = z.output<typeof NewWebhook>
type Change = z.output<typeof webhookOperations.updateWebhook.body>

/** Whom workspaces have told of what happens. */
export class Webhooks implements AsyncDisposable {
  readonly #world: WebhooksWorld
  /** Makes the deliveries for as long as this lives. */
  readonly deliverer: Deliverer
  #wanted: { at: number; by: ReadonlyMap<WebhookEventName, ReadonlySet<string>> } | null = null

  constructor(world: WebhooksWorld) {
    this.#world = world
    this.deliverer = new Deliverer(world)
  }

  /** Ids of the workspaces that want to be told of this. What another panel has changed a moment ago may be missing. */
  async wantedBy(event: WebhookEventName): Promise<ReadonlySet<string>> {
    const now = this.#world.clock.now()
    if (!this.#wanted || Math.abs(now - this.#wanted.at) > wantedEveryMs) {
      const by = new Map<WebhookEventName, Set<string>>()
      for (const { workspace_id, events } of await enabledWebhooks(this.#world.db.kysely))
        for (const name of eventsIn(events)) by.set(name, (by.get(name) ?? new Set()).add(workspace_id))
      this.#wanted = { at: now, by }
    }
    return this.#wanted.by.get(event) ?? nobody
  }

  /** Has everybody who wants it told of an event, once, however often this is called for it; in one transaction with what else `trx` does. */
  async enqueue(trx: Store, event: WebhookEvent): Promise<void> {
    const now = this.#world.clock.now()
    if (event.at < now - eventAgeMaxMs) return
    const slug = await slugOf(trx, event.workspaceId)
    if (slug === undefined) return
    for (const webhook of await enabledWebhooks(trx, event.workspaceId)) {
      // What happened before somebody asked to be told is not told.
      if (webhook.created_at > event.at || !eventsIn(webhook.events).includes(event.event)) continue
      if ((await countWaiting(trx, webhook.id)) >= waitingMax) await noteDropped(trx, webhook.id)
      else await insertDelivery(trx, deliveryFor(webhook.id, event, slug, now))
    }
  }

  /** The same by itself; a delivery begins at once. */
  async emit(event: WebhookEvent): Promise<void> {
    await this.#world.db.transact((trx) => this.enqueue(trx, event))
    void this.deliverer.look()
  }

  async all(workspaceId: string): Promise<z.input<typeof Webhook>[]> {
    return (await webhooksOf(this.#world.db.kysely, workspaceId)).map((row) => this.#view(row))
  }

  async one(workspaceId: string, id: string): Promise<z.input<typeof Webhook>> {
    return this.#view(await this.#find(workspaceId, id))
  }

  /** The secret is in this reply and nowhere else; a letter has none. */
  async create(
    caller: Caller,
    workspaceId: string,
    input: Input,
  ): Promise<{ webhook: z.input<typeof Webhook>; secret: string | null }> {
    const { db, clock, sealer, mails } = this.#world
    if (input.format === 'mail' && !mails)
      throw conflict('This installation sends no mail: the people who run it have set no mail server.')
    const id = newId('whk')
    const secret = newSecret('whsec')
    await db.transact(async (trx) => {
      if ((await countWebhooks(trx, workspaceId)) >= webhooksMax)
        throw conflict(`The workspace has ${webhooksMax} webhooks, which is the most: delete one that is not needed.`)
      if (input.format === 'mail' && !(await isMember(trx, workspaceId, input.to)))
        throw invalidRequest('body.to', 'is no member of the workspace', 'the address of a member')
      await insertWebhook(trx, {
        id,
        workspace_id: workspaceId,
        label: input.label ?? null,
        format: input.format,
        target: sealer.seal(new Secret(input.format === 'mail' ? input.to : input.url), `${id} target`),
        events: JSON.stringify([...new Set(input.events)]),
        secret: sealer.seal(new Secret(secret), `${id} secret`),
        ...{ old_secret: null, old_secret_until: null },
        created_at: clock.now(),
        created_by: caller.userId,
        ...{ disabled_at: null, disabled_why: null, failing_since: null, failures: 0, dropped: 0 },
        ...{ busy_until: 0, panel: null },
      })
    })
    this.#wanted = null
    return { webhook: await this.one(workspaceId, id), secret: input.format === 'mail' ? null : secret }
  }

  async update(workspaceId: string, id: string, change: Change): Promise<z.input<typeof Webhook>> {
    const { db, clock, sealer } = this.#world
    await db.transact(async (trx) => {
      const row = await webhookOf(trx, workspaceId, id)
      if (!row) throw notFound(`Webhook ${id}`)
      if (change.url !== undefined && row.format === 'mail')
        throw conflict('This webhook sends mail: make another one for a URL.')
      await setWebhook(trx, id, {
        ...(change.label === undefined ? {} : { label: change.label }),
        ...(change.url === undefined ? {} : { target: sealer.seal(new Secret(change.url), `${id} target`) }),
        ...(change.events === undefined ? {} : { events: JSON.stringify([...new Set(change.events)]) }),
        ...(change.enabled === true ? { disabled_at: null, disabled_why: null, failing_since: null, failures: 0 } : {}),
        ...(change.enabled === false && row.disabled_at === null
          ? { disabled_at: clock.now(), disabled_why: 'Somebody switched it off' }
          : {}),
      })
    })
    this.#wanted = null
    return this.one(workspaceId, id)
  }

  async remove(workspaceId: string, id: string): Promise<void> {
    if (!(await removeWebhook(this.#world.db.kysely, workspaceId, id))) throw notFound(`Webhook ${id}`)
    this.#wanted = null
  }

  async rotate(workspaceId: string, id: string): Promise<{ secret: string; oldUntil: string }> {
    const { db, clock, sealer } = this.#world
    const secret = newSecret('whsec')
    const until = clock.now() + oldSecretMs
    await db.transact(async (trx) => {
      const row = await webhookOf(trx, workspaceId, id)
      if (!row) throw notFound(`Webhook ${id}`)
      if (row.format === 'mail') throw conflict('A letter is not signed: this webhook has no secret.')
      const sealed = sealer.seal(new Secret(secret), `${id} secret`)
      await setWebhook(trx, id, { secret: sealed, old_secret: row.secret, old_secret_until: until })
    })
    return { secret, oldUntil: isoTime(until) }
  }

  /** Delivers an event that says nothing. */
  async test(workspaceId: string, id: string): Promise<z.input<typeof WebhookDelivery>> {
    const { db, clock } = this.#world
    const row = await db.transact(async (trx) => {
      const webhook = await webhookOf(trx, workspaceId, id)
      if (!webhook) throw notFound(`Webhook ${id}`)
      mustBeOn(webhook)
      mustHaveRoom(await countWaiting(trx, id))
      const now = clock.now()
      const delivery = deliveryFor(
        id,
        {
          ...{ workspaceId, event: 'webhook.test', key: `test:${newId('evt')}`, at: now, server: null },
          message: 'This is a test. What really happens arrives like this.',
          subject: { kind: 'webhook', id, name: webhook.label ?? id },
        },
        (await slugOf(trx, workspaceId)) ?? '',
        now,
      )
      await insertDelivery(trx, delivery)
      return delivery
    })
    void this.deliverer.look()
    return deliveryView(row)
  }

  async deliveries(
    workspaceId: string,
    id: string,
    { limit = pageDefault, cursor }: { limit?: number | undefined; cursor?: string | undefined },
  ): Promise<{ deliveries: z.input<typeof WebhookDelivery>[]; nextCursor: string | null }> {
    await this.#find(workspaceId, id)
    const rows = await deliveriesOf(this.#world.db.kysely, id, positionIn(cursor), limit + 1)
    const shown = rows.slice(0, limit)
    const last = shown.at(-1)
    return {
      deliveries: shown.map(deliveryView),
      nextCursor: rows.length > limit && last ? `${last.created_at}.${last.id}` : null,
    }
  }

  /** The same delivery again, under its own id: a receiver that had it recognises it. */
  async redeliver(workspaceId: string, id: string, deliveryId: string): Promise<z.input<typeof WebhookDelivery>> {
    const { db, clock } = this.#world
    const row = await db.transact(async (trx) => {
      const webhook = await webhookOf(trx, workspaceId, id)
      const delivery = webhook && (await deliveryOf(trx, id, deliveryId))
      if (!delivery) throw notFound(`Delivery ${deliveryId}`)
      mustBeOn(webhook)
      const next = { state: 'pending' as const, attempts: 0, next_at: clock.now() }
      await setDelivery(trx, deliveryId, next)
      return { ...delivery, ...next }
    })
    void this.deliverer.look()
    return deliveryView(row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.deliverer[Symbol.asyncDispose]()
  }

  async #find(workspaceId: string, id: string): Promise<WebhookWithCount> {
    const row = await webhookOf(this.#world.db.kysely, workspaceId, id)
    if (!row) throw notFound(`Webhook ${id}`)
    return row
  }

  #view(row: WebhookWithCount): z.input<typeof Webhook> {
    const target = this.#world.sealer.open(row.target, `${row.id} target`).reveal()
    return {
      id: row.id,
      label: row.label,
      format: row.format,
      url: row.format === 'mail' ? null : target,
      to: row.format === 'mail' ? target : null,
      events: eventsIn(row.events),
      enabled: row.disabled_at === null,
      disabledWhy: row.disabled_why,
      failingSince: row.failing_since === null ? null : isoTime(row.failing_since),
      waiting: Number(row.waiting),
      dropped: row.dropped,
      createdAt: isoTime(row.created_at),
    }
  }
}

const nobody: ReadonlySet<string> = new Set()

/** An older program may not know every event of a newer one. */
const eventsIn = (text: string): WebhookEventName[] =>
  z
    .array(z.string())
    .parse(JSON.parse(text))
    .flatMap((name) => WebhookEventName.safeParse(name).data ?? [])

function deliveryFor(
  webhookId: string,
  event: Omit<WebhookEvent, 'event'> & { event: Content['event'] },
  slug: string,
  now: number,
): WebhookDeliveryRow {
  const id = newId('dlv')
  const content: Content = {
    id,
    event: event.event,
    at: isoTime(event.at),
    workspace: slug,
    message: event.message.slice(0, messageCharsMax),
    subject: event.subject,
    server: event.server,
  }
  return {
    id,
    webhook_id: webhookId,
    event_key: event.key,
    event: event.event,
    content: JSON.stringify(content),
    created_at: now,
    state: 'pending',
    attempts: 0,
    next_at: now,
    ...{ last_at: null, status: null, message: null, took_ms: null },
  }
}

const deliveryView = (row: WebhookDeliveryRow): z.input<typeof WebhookDelivery> => ({
  id: row.id,
  event: row.event,
  state: row.state,
  attempts: row.attempts,
  createdAt: isoTime(row.created_at),
  lastAt: row.last_at === null ? null : isoTime(row.last_at),
  nextAt: row.state === 'pending' ? isoTime(row.next_at) : null,
  status: row.status,
  message: row.message,
  tookMs: row.took_ms,
  content: Content.parse(JSON.parse(row.content)),
})

function mustBeOn(webhook: WebhookWithCount | undefined): void {
  if (webhook?.disabled_at !== null)
    throw conflict(`This webhook is switched off (${webhook?.disabled_why ?? ''}): switch it on first.`)
}

function mustHaveRoom(waiting: number): void {
  if (waiting >= waitingMax)
    throw conflict(`${waiting} deliveries wait for this webhook already: mend what it calls, or switch it off.`)
}

function positionIn(cursor: string | undefined): { createdAt: number; id: string } | null {
  if (cursor === undefined) return null
  const [, createdAt, id] = /^(\d{1,15})\.(dlv_[0-9a-z]{16})$/.exec(cursor) ?? []
  if (createdAt === undefined || id === undefined)
    throw invalidRequest('query.cursor', 'is not a cursor that a page gave')
  return { createdAt: Number(createdAt), id }
}

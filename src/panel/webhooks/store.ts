import type { Updateable } from 'kysely'
import type { Due } from '../claims/index.ts'
import type { Store, WebhookDeliveryRow, WebhookRow } from '../db/index.ts'

export type WebhookWithCount = WebhookRow & { waiting: number }

export async function webhooksOf(db: Store, workspaceId: string): Promise<WebhookWithCount[]> {
  return counted(db)
    .where('workspace_id', '=', workspaceId)
    .orderBy('webhooks.created_at')
    .orderBy('webhooks.id')
    .execute()
}

export async function webhookOf(db: Store, workspaceId: string, id: string): Promise<WebhookWithCount | undefined> {
  return counted(db).where('workspace_id', '=', workspaceId).where('webhooks.id', '=', id).executeTakeFirst()
}

export async function countWebhooks(db: Store, workspaceId: string): Promise<number> {
  const { count } = await db
    .selectFrom('webhooks')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('workspace_id', '=', workspaceId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function insertWebhook(db: Store, row: WebhookRow): Promise<void> {
  await db.insertInto('webhooks').values(row).execute()
}

export async function setWebhook(db: Store, id: string, change: Updateable<WebhookRow>): Promise<void> {
  await db.updateTable('webhooks').set(change).where('id', '=', id).execute()
}

export async function removeWebhook(db: Store, workspaceId: string, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('webhooks')
    .where('workspace_id', '=', workspaceId)
    .where('id', '=', id)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}

/** The enabled webhooks of these workspaces, or of all. */
export async function enabledWebhooks(
  db: Store,
  workspaceId?: string,
): Promise<Pick<WebhookRow, 'id' | 'workspace_id' | 'events' | 'created_at'>[]> {
  const query = db
    .selectFrom('webhooks')
    .select(['id', 'workspace_id', 'events', 'created_at'])
    .where('disabled_at', 'is', null)
  return workspaceId === undefined ? query.execute() : query.where('workspace_id', '=', workspaceId).execute()
}

export async function slugOf(db: Store, workspaceId: string): Promise<string | undefined> {
  return (await db.selectFrom('workspaces').select('slug').where('id', '=', workspaceId).executeTakeFirst())?.slug
}

/** Whether somebody of that address is a member at this moment. */
export async function isMember(db: Store, workspaceId: string, email: string): Promise<boolean> {
  const row = await db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.id')
    .where('members.workspace_id', '=', workspaceId)
    .where('users.email', '=', email)
    .executeTakeFirst()
  return row !== undefined
}

/** Addresses of the owners of a workspace. */
export async function ownersOf(db: Store, workspaceId: string, most: number): Promise<string[]> {
  const rows = await db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.email')
    .where('members.workspace_id', '=', workspaceId)
    .where('members.role', '=', 'owner')
    .limit(most)
    .execute()
  return rows.map(({ email }) => email)
}

export async function countWaiting(db: Store, webhookId: string): Promise<number> {
  const { count } = await db
    .selectFrom('webhook_deliveries')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** False where the webhook has this event already, whoever saw it. */
export async function insertDelivery(db: Store, row: WebhookDeliveryRow): Promise<boolean> {
  const result = await db
    .insertInto('webhook_deliveries')
    .values(row)
    .onConflict((conflict) => conflict.columns(['webhook_id', 'event_key']).doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function noteDropped(db: Store, webhookId: string): Promise<void> {
  await db
    .updateTable('webhooks')
    .set((eb) => ({ dropped: eb('dropped', '+', 1) }))
    .where('id', '=', webhookId)
    .execute()
}

/** Leaves the webhooks that have a delivery due. */
export const dueWebhooks =
  (now: number): Due<'webhooks'> =>
  (webhooks) =>
    webhooks
      .where('disabled_at', 'is', null)
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('webhook_deliveries')
            .select('webhook_deliveries.id')
            .whereRef('webhook_deliveries.webhook_id', '=', 'webhooks.id')
            .where('state', '=', 'pending')
            .where('next_at', '<=', now),
        ),
      )

/** Of those that are due, the one that waits longest. */
export async function dueDelivery(db: Store, webhookId: string, now: number): Promise<WebhookDeliveryRow | undefined> {
  return db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .orderBy('created_at')
    .limit(1)
    .executeTakeFirst()
}

export async function setDelivery(db: Store, id: string, change: Updateable<WebhookDeliveryRow>): Promise<void> {
  await db.updateTable('webhook_deliveries').set(change).where('id', '=', id).execute()
}

export async function deliveryOf(db: Store, webhookId: string, id: string): Promise<WebhookDeliveryRow | undefined> {
  return db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .where('id', '=', id)
    .executeTakeFirst()
}

/** Newest first, those below `before`. */
export async function deliveriesOf(
  db: Store,
  webhookId: string,
  before: { createdAt: number; id: string } | null,
  most: number,
): Promise<WebhookDeliveryRow[]> {
  const query = db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(most)
  if (!before) return query.execute()
  return query
    .where(({ eb, or, and }) =>
      or([
        eb('created_at', '<', before.createdAt),
        and([eb('created_at', '=', before.createdAt), eb('id', '<', before.id)]),
      ]),
    )
    .execute()
}

/** What waits for a webhook is given up. */
export async function failWaiting(db: Store, webhookId: string, message: string): Promise<void> {
  await db
    .updateTable('webhook_deliveries')
    .set({ state: 'failed', message })
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .execute()
}

export async function removeDeliveries(db: Store, before: number): Promise<void> {
  await db.deleteFrom('webhook_deliveries').where('created_at', '<', before).execute()
}

const counted = (db: Store) =>
  db
    .selectFrom('webhooks')
    .selectAll('webhooks')
    .select((eb) =>
      eb
        .selectFrom('webhook_deliveries')
        .select((inner) => inner.fn.countAll<number>().as('count'))
        .whereRef('webhook_deliveries.webhook_id', '=', 'webhooks.id')
        .where('webhook_deliveries.state', '=', 'pending')
        .$asScalar()
        .$notNull()
        .as('waiting'),
    )

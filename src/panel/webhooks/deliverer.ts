import { DueWork, type Own, setOwn, type Turn } from '../claims/index.ts'
import type { WebhookDeliveryRow, WebhookRow } from '../db/index.ts'
import { Content, discordBody, letterOf } from './content.ts'
import { atOnceMax, batchMax, deliveryKeptMs, lookEveryMs, messageCharsMax, tidyEveryMs } from './limits.ts'
import { isHopeless, nextAttempt } from './rules.ts'
import { type Attempt, send } from './send.ts'
import { signatureOf } from './signature.ts'
import { dueDelivery, dueWebhooks, failWaiting, isMember, ownersOf, removeDeliveries, setDelivery } from './store.ts'
import type { WebhooksWorld } from './world.ts'

/**
 * Makes the deliveries that are due. A panel takes a webhook for itself, so that a delivery is on its way once. What is written down
 * comes after what is sent, so a panel that is killed in between sends it again.
 */
export class Deliverer implements AsyncDisposable {
  /** How attempts of this panel have ended. */
  readonly attempts = { delivered: 0, failed: 0 }
  readonly #world: WebhooksWorld
  readonly #work: DueWork<'webhooks'>
  #tidiedAt = Number.NEGATIVE_INFINITY

  constructor(world: WebhooksWorld) {
    this.#world = world
    const { db, clock, log } = world
    this.#work = new DueWork({
      ...{ db, clock, log, table: 'webhooks', due: dueWebhooks, lookEveryMs, atOnceMax },
      serve: (webhook, turn) => this.#serve(webhook, turn),
      atLook: () => this.#tidy(),
    })
  }

  /** Looks now for what is due, and begins it. Never rejects. */
  look(): Promise<void> {
    return this.#work.look()
  }

  /** Resolves when everything that was begun has ended. */
  idle(): Promise<void> {
    return this.#work.idle()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#work[Symbol.asyncDispose]()
  }

  /** Some deliveries in a row, until nothing is due, one fails, or others should have their turn. */
  async #serve(webhook: WebhookRow, turn: Turn): Promise<void> {
    const { db, clock } = this.#world
    for (let made = 0; made < batchMax && !turn.signal.aborted; made++) {
      // Longer than one attempt may take, so nobody else has it meanwhile.
      if (!(await turn.keep())) return
      const delivery = await dueDelivery(db.kysely, webhook.id, clock.now())
      if (!delivery) return
      const began = performance.now()
      const attempt = await this.#attempt(webhook, delivery, turn.signal)
      // What was cut off by our own end is as if it had not been tried: it is due when the panel is back.
      if (turn.signal.aborted && !attempt.ok) return
      if (!(await this.#note(webhook, delivery, attempt, Math.round(performance.now() - began), turn))) return
    }
  }

  async #attempt(webhook: WebhookRow, delivery: WebhookDeliveryRow, signal: AbortSignal): Promise<Attempt> {
    const { sealer, clock, outbound } = this.#world
    const content = Content.parse(JSON.parse(delivery.content))
    const target = sealer.open(webhook.target, `${webhook.id} target`).reveal()
    if (webhook.format === 'mail') return this.#mail(webhook, target, content)
    const body = webhook.format === 'discord' ? discordBody(content) : JSON.stringify(content)
    const now = clock.now()
    const secrets = [sealer.open(webhook.secret, `${webhook.id} secret`)]
    if (webhook.old_secret !== null && (webhook.old_secret_until ?? 0) > now)
      secrets.push(sealer.open(webhook.old_secret, `${webhook.id} secret`))
    const headers = {
      'pharos-delivery': delivery.id,
      'pharos-event': delivery.event,
      'pharos-signature': signatureOf(body, secrets, now),
    }
    return send(new URL(target), body, headers, { ...outbound, signal })
  }

  async #mail(webhook: WebhookRow, to: string, content: Content): Promise<Attempt> {
    const { db, post } = this.#world
    const told = { status: null, retryAfterMs: null }
    if (!(await isMember(db.kysely, webhook.workspace_id, to)))
      return { ok: false, ...told, message: `${to} is no member of the workspace any more`, gone: true }
    const delivery = await post.send(webhook.id, { to, ...letterOf(content) })
    return { ok: delivery === 'sent', ...told, message: mailWords[delivery], gone: false }
  }

  /** False where the next one should wait. */
  async #note(
    webhook: WebhookRow,
    delivery: WebhookDeliveryRow,
    attempt: Attempt,
    tookMs: number,
    { own }: Turn,
  ): Promise<boolean> {
    const { db, clock } = this.#world
    const now = clock.now()
    this.attempts[attempt.ok ? 'delivered' : 'failed'] += 1
    const attempts = delivery.attempts + 1
    const next = attempt.ok ? null : nextAttempt(attempts, now, attempt.retryAfterMs)
    if (!attempt.ok) {
      webhook.failures += 1
      webhook.failing_since ??= now
    } else {
      webhook.failures = 0
      webhook.failing_since = null
    }
    const { failures, failing_since } = webhook
    const mine = await db.transact(async (trx) => {
      await setDelivery(trx, delivery.id, {
        state: attempt.ok ? 'delivered' : next === null ? 'failed' : 'pending',
        attempts,
        last_at: now,
        ...(next === null ? {} : { next_at: next }),
        status: attempt.status,
        message: attempt.message?.slice(0, messageCharsMax) ?? null,
        took_ms: tookMs,
      })
      return setOwn(trx, 'webhooks', own, { failures, failing_since })
    })
    if (failing_since !== null && mine && (attempt.gone || isHopeless(failing_since, failures, now)))
      await this.#disable(webhook, own, attempt.message ?? 'it failed for too long', now)
    return mine && attempt.ok
  }

  /** Said in the activity, and by mail to the owners where there is a mail server. */
  async #disable(webhook: WebhookRow, own: Own, why: string, now: number): Promise<void> {
    const { db, sealer, post, activity, log } = this.#world
    const message = `Switched off after ${webhook.failures === 1 ? 'a failure' : `${webhook.failures} failures in a row`}: ${why}`
    const change = { disabled_at: now, disabled_why: message.slice(0, messageCharsMax) }
    if (!(await setOwn(db.kysely, 'webhooks', own, change))) return
    await failWaiting(db.kysely, webhook.id, 'The webhook was switched off')
    log.info({ webhook: webhook.id }, 'a webhook was switched off: it failed for too long')
    activity.record({
      who: null,
      operation: 'webhookSwitchedOff',
      permission: null,
      subject: webhook.label ?? webhook.id,
      serverId: null,
      workspaceId: webhook.workspace_id,
      address: null,
      userAgent: null,
      code: null,
    })
    const host =
      webhook.format === 'mail'
        ? 'a member’s mail'
        : new URL(sealer.open(webhook.target, `${webhook.id} target`).reveal()).host
    for (const to of await ownersOf(db.kysely, webhook.workspace_id, ownersToldMax))
      await post.send(webhook.id, {
        to,
        subject: 'A webhook was switched off',
        text: `The webhook ${webhook.id} to ${host} of your workspace was switched off.\n\n${message}\n\nMend what it calls, then switch it on again in the workspace's webhooks.\n`,
      })
  }

  async #tidy(): Promise<void> {
    const { db, clock } = this.#world
    const now = clock.now()
    if (Math.abs(now - this.#tidiedAt) < tidyEveryMs) return
    this.#tidiedAt = now
    await removeDeliveries(db.kysely, now - deliveryKeptMs)
  }
}

/** Owners who get a letter when a webhook is switched off. */
const ownersToldMax = 5

const mailWords = {
  sent: null,
  failed: 'The mail server did not take the letter',
  limited: 'Too many letters were sent for this webhook within an hour',
  off: 'No mail server is set: see --smtp-host',
} as const

import { newUuid } from '../../lib/ids.ts'
import type { WebhookDeliveryRow, WebhookRow } from '../db/index.ts'
import { Content, discordBody, letterOf } from './content.ts'
import { atOnceMax, batchMax, deliveryKeptMs, leaseMs, lookEveryMs, messageCharsMax, tidyEveryMs } from './limits.ts'
import { isHopeless, nextAttempt } from './rules.ts'
import { type Attempt, send } from './send.ts'
import { signatureOf } from './signature.ts'
import {
  claimWebhooks,
  dueDelivery,
  failWaiting,
  isMember,
  ownersOf,
  releaseAll,
  removeDeliveries,
  setDelivery,
  setOwn,
} from './store.ts'
import type { WebhooksWorld } from './world.ts'

/**
 * Makes the deliveries that are due. Any number of panels may do so: one takes a webhook for itself for a while, so that a
 * delivery is on its way once. What is written down comes after what is sent, so a panel that is killed in between sends it again.
 */
export class Deliverer implements AsyncDisposable {
  /** How attempts of this panel have ended. */
  readonly attempts = { delivered: 0, failed: 0 }
  readonly #world: WebhooksWorld
  readonly #panel = newUuid()
  readonly #stopping = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void>
  #tidiedAt = Number.NEGATIVE_INFINITY

  constructor(world: WebhooksWorld) {
    this.#world = world
    // No other panel uses an SQLite file: whoever held a webhook in it has died.
    this.#looking = this.#guarded(async () => {
      if (world.db.dialect === 'sqlite') await releaseAll(world.db.kysely)
    })
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref()
  }

  /** Looks now for what is due, and begins it. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() =>
      this.#guarded(async () => {
        await this.#take()
        await this.#tidy()
      }),
    )
    return this.#looking
  }

  /** Resolves when everything that was begun has ended. */
  async idle(): Promise<void> {
    await this.#looking
    await Promise.all(this.#running.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    await this.idle()
  }

  async #take(): Promise<void> {
    const { db, clock, log } = this.#world
    const room = atOnceMax - this.#running.size
    if (room <= 0) return
    const now = clock.now()
    const claim = { dialect: db.dialect, panel: this.#panel, now, until: now + leaseMs, most: room }
    for (const webhook of await claimWebhooks(db.kysely, claim)) {
      const work = this.#serve(webhook)
        .catch((error: unknown) =>
          log.error({ err: error, webhook: webhook.id }, 'deliveries of a webhook could not be written down'),
        )
        .finally(() => this.#running.delete(webhook.id))
      this.#running.set(webhook.id, work)
    }
  }

  /** Some deliveries in a row, until nothing is due, one fails, or others should have their turn. */
  async #serve(webhook: WebhookRow): Promise<void> {
    const { db, clock } = this.#world
    const own = { id: webhook.id, panel: this.#panel }
    try {
      for (let made = 0; made < batchMax && !this.#stopping.signal.aborted; made++) {
        // Longer than one attempt may take, so nobody else has it meanwhile.
        if (!(await setOwn(db.kysely, own, { busy_until: clock.now() + leaseMs }))) return
        const delivery = await dueDelivery(db.kysely, webhook.id, clock.now())
        if (!delivery) return
        const began = performance.now()
        const attempt = await this.#attempt(webhook, delivery)
        // What was cut off by our own end is as if it had not been tried: it is due when the panel is back.
        if (this.#stopping.signal.aborted && !attempt.ok) return
        if (!(await this.#note(webhook, delivery, attempt, Math.round(performance.now() - began)))) return
      }
    } finally {
      await setOwn(db.kysely, own, { busy_until: 0, panel: null })
    }
  }

  async #attempt(webhook: WebhookRow, delivery: WebhookDeliveryRow): Promise<Attempt> {
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
    return send(new URL(target), body, headers, { ...outbound, signal: this.#stopping.signal })
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
  async #note(webhook: WebhookRow, delivery: WebhookDeliveryRow, attempt: Attempt, tookMs: number): Promise<boolean> {
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
      return setOwn(trx, { id: webhook.id, panel: this.#panel }, { failures, failing_since })
    })
    if (failing_since !== null && mine && (attempt.gone || isHopeless(failing_since, failures, now)))
      await this.#disable(webhook, attempt.message ?? 'it failed for too long', now)
    return mine && attempt.ok
  }

  /** Said in the activity, and by mail to the owners where there is a mail server. */
  async #disable(webhook: WebhookRow, why: string, now: number): Promise<void> {
    const { db, sealer, post, activity, log } = this.#world
    const message = `Switched off after ${webhook.failures === 1 ? 'a failure' : `${webhook.failures} failures in a row`}: ${why}`
    const change = { disabled_at: now, disabled_why: message.slice(0, messageCharsMax) }
    if (!(await setOwn(db.kysely, { id: webhook.id, panel: this.#panel }, change))) return
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

  /** A look that fails is done again a moment later; what is due waits in the database. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#stopping.signal.aborted) return
    try {
      await work()
    } catch (error) {
      this.#world.log.error({ err: error }, 'could not look for deliveries that are due; trying again')
    }
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

import type { WebhookEventName } from '../../contract/api/webhooks.ts'
import type { WebhookEvent } from '../webhooks/index.ts'
import { awayAfterMs, otherPanelMs } from './limits.ts'
import { fullness } from './rules.ts'
import { forgetStates, nodesWithWorkspaces, serversOf, setState, statesOf, tunnelsOf } from './store.ts'
import type { AlertsWorld } from './world.ts'

/** One thing that is in one of several states, and what is told when it gets there. */
interface Level {
  subject: string
  state: string
  /** As it is taken to be where nothing is known of it. */
  initial: string
  /** Per workspace that it concerns. */
  events: Omit<WebhookEvent, 'key' | 'at'>[]
}

const bytesPerMib = 1_048_576

/** Looks at what is so: who is away, what is nearly used up. Tells of what has changed since anybody last looked, once. */
export class Levels {
  readonly #world: AlertsWorld
  readonly #startedAt: number
  /** When each open tunnel was last seen open. */
  readonly #seenOpen = new Map<string, number>()

  constructor(world: AlertsWorld) {
    this.#world = world
    this.#startedAt = world.clock.now()
  }

  async look(): Promise<void> {
    await this.#apply('node', await this.#nodes())
    await this.#apply('disk', await this.#disks())
    await this.#apply('quota', await this.#quotas())
    await this.#apply('tunnel', await this.#tunnels())
  }

  async #apply(prefix: string, levels: readonly Level[]): Promise<void> {
    const { db, webhooks, clock } = this.#world
    const known = await statesOf(db.kysely, prefix)
    for (const { subject, state, initial, events } of levels) {
      if ((known.get(subject) ?? initial) === state) continue
      const now = clock.now()
      await db.transact(async (trx) => {
        if (!(await setState(trx, subject, state, now))) return
        for (const event of events)
          await webhooks.enqueue(trx, { ...event, key: `${subject}:${state}:${now}`, at: now })
      })
    }
    const there = new Set(levels.map(({ subject }) => subject))
    const gone =
      prefix === 'node' ? [] : [...known.keys()].filter((subject) => !there.has(subject)).slice(0, forgottenMax)
    if (gone.length > 0) await forgetStates(db.kysely, gone)
  }

  async #nodes(): Promise<Level[]> {
    const { db, clock, nodes } = this.#world
    const wanting = await this.#wanting('node.away', 'node.back')
    if (wanting.size === 0) return []
    const now = clock.now()
    const rows = await nodesWithWorkspaces(db.kysely)
    return [...Map.groupBy(rows, ({ id }) => id)].flatMap(([id, of]) => {
      const { name = '', lastSeenAt = null } = of[0] ?? {}
      const here = nodes.online(id) !== null
      // Whoever has just started has not been found by its nodes yet.
      if (!here && (lastSeenAt === null || now - this.#startedAt < awayAfterMs)) return []
      const patience = db.dialect === 'sqlite' ? awayAfterMs : otherPanelMs
      if (!here && now - (lastSeenAt ?? 0) < patience) return []
      const words = here
        ? `Node ${name} is here again`
        : `Node ${name} is away: its servers are unknown until it is back`
      return [
        {
          subject: `node:${id}`,
          state: here ? 'here' : 'away',
          initial: 'here',
          events: of
            .filter(({ workspaceId }) => wanting.has(workspaceId))
            .map(({ workspaceId }) => ({
              workspaceId,
              event: here ? ('node.back' as const) : ('node.away' as const),
              message: words,
              subject: { kind: 'node' as const, id, name },
              server: null,
            })),
        },
      ]
    })
  }

  async #disks(): Promise<Level[]> {
    const { db, states } = this.#world
    const wanting = await this.#wanting('disk.nearly_full')
    if (wanting.size === 0) return []
    const known = await statesOf(db.kysely, 'disk')
    return (await serversOf(db.kysely, [...wanting])).flatMap(({ id, name, disk, nodeId, workspaceId }) => {
      const subject = `disk:${id}`
      const used = states.of(nodeId, id)?.usage?.diskBytes
      // What nobody knows stays as it was.
      const before = known.get(subject) ?? 'ok'
      const state = used === undefined ? before : fullness(used, disk * bytesPerMib, before)
      const message = `Server ${name} uses ${Math.round((used ?? 0) / bytesPerMib)} of its ${disk} MiB of disk: delete files, or ask for more`
      return [
        {
          ...{ subject, state, initial: 'ok' },
          events:
            state === 'nearly'
              ? [
                  {
                    ...{ workspaceId, event: 'disk.nearly_full' as const, message },
                    subject: { kind: 'server' as const, id: `servers/${id}`, name },
                    server: { id: `servers/${id}`, name },
                  },
                ]
              : [],
        },
      ]
    })
  }

  async #quotas(): Promise<Level[]> {
    const { db, plans, clock } = this.#world
    const wanting = await this.#wanting('quota.nearly_used')
    if (wanting.size === 0) return []
    const known = await statesOf(db.kysely, 'quota')
    const month = new Date(clock.now()).toISOString().slice(0, 7)
    return [...(await plans.monthOf(db.kysely, [...wanting]))].map(([workspaceId, { used, most }]) => {
      const subject = `quota:${workspaceId}:${month}`
      const state = fullness(used, most, known.get(subject))
      const message = `${Math.floor((used / Math.max(1, most)) * 100)} % of this month's tunnel traffic is used; at the limit tunnels are closed`
      const named = { kind: 'workspace' as const, id: workspaceId, name: 'tunnel traffic' }
      const event = { workspaceId, event: 'quota.nearly_used' as const, message, subject: named, server: null }
      return { subject, state, initial: 'ok', events: state === 'nearly' ? [event] : [] }
    })
  }

  async #tunnels(): Promise<Level[]> {
    const { db, clock, openTunnels } = this.#world
    const wanting = await this.#wanting('tunnel.up', 'tunnel.down')
    if (wanting.size === 0) return []
    const now = clock.now()
    const open = openTunnels()
    const known = await statesOf(db.kysely, 'tunnel')
    const tunnels = await tunnelsOf(db.kysely, [...wanting])
    const kept = new Set(tunnels.map(({ id }) => id))
    for (const id of this.#seenOpen.keys()) if (!kept.has(id)) this.#seenOpen.delete(id)
    return tunnels.map(({ id, name, workspaceId }) => {
      const subject = `tunnel:${id}`
      if (open.has(id)) this.#seenOpen.set(id, now)
      const gone = now - (this.#seenOpen.get(id) ?? this.#startedAt) >= awayAfterMs
      const before = known.get(subject) ?? 'down'
      const state = open.has(id) ? 'up' : gone ? 'down' : before
      const up = state === 'up'
      const event: WebhookEventName = up ? 'tunnel.up' : 'tunnel.down'
      const message = up ? `Tunnel ${name} is open` : `Tunnel ${name} is closed: nothing serves it any more`
      return {
        ...{ subject, state, initial: 'down' },
        events: [{ workspaceId, event, message, subject: { kind: 'tunnel' as const, id, name }, server: null }],
      }
    })
  }

  async #wanting(...events: WebhookEventName[]): Promise<Set<string>> {
    const all = await Promise.all(events.map((event) => this.#world.webhooks.wantedBy(event)))
    return new Set(all.flatMap((ids) => [...ids]))
  }
}

/** A query names so many at most. */
const forgottenMax = 500

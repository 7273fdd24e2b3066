import type { WebhookEventName } from '../../contract/api/webhooks.ts'
import type { ServerState } from '../../contract/node.ts'
import type { LiveNode } from '../nodes/index.ts'
import type { WebhookEvent } from '../webhooks/index.ts'
import { Levels } from './levels.ts'
import { catchUpMs, levelsEveryMs, lookEveryMs, overlapMs, rowsMax, toldMax } from './limits.ts'
import { stateEvent } from './rules.ts'
import { backupsSince, failedRunsSince, incidentsSince, serverFor } from './store.ts'
import type { AlertsWorld } from './world.ts'

/**
 * Turns what happens into events for webhooks. Everything is read from what is written down anyway, so what happened while no
 * panel was there is told by the next one, and what several panels see is told once: each event has a key of its own.
 */
export class Alerts implements AsyncDisposable {
  readonly #world: AlertsWorld
  readonly #levels: Levels
  readonly #stops: (() => void)[]
  readonly #told = new Set<string>()
  #since: number
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(world: AlertsWorld) {
    this.#world = world
    this.#levels = new Levels(world)
    this.#since = world.clock.now() - catchUpMs
    const timers = [
      setInterval(() => void this.look(), lookEveryMs).unref(),
      setInterval(() => void this.lookAtLevels(), levelsEveryMs).unref(),
    ]
    this.#stops = [
      ...timers.map((timer) => () => clearInterval(timer)),
      world.watching.happened.on(() => void this.look()),
      world.nodes.observe({
        event: (node, event) => (event.type === 'state' ? this.#state(node, event.state) : Promise.resolve()),
      }),
    ]
  }

  /** Looks now for what has ended. Never rejects. */
  look(): Promise<void> {
    return this.#queued(async () => {
      const now = this.#world.clock.now()
      await this.#ended(this.#since)
      this.#since = now - overlapMs
    })
  }

  /** Looks now at what is so. Never rejects. */
  lookAtLevels(): Promise<void> {
    return this.#queued(() => this.#levels.look())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    for (const stop of this.#stops) stop()
    await this.#looking
  }

  async #ended(since: number): Promise<void> {
    const { webhooks } = this.#world
    for (const { event, read } of this.#sources(since)) {
      const wanting = new Set(
        (await Promise.all(event.map((one) => webhooks.wantedBy(one)))).flatMap((ids) => [...ids]),
      )
      if (wanting.size === 0) continue
      for (const found of await read([...wanting])) await this.#tell(found)
    }
  }

  #sources(since: number): { event: WebhookEventName[]; read(ids: string[]): Promise<WebhookEvent[]> }[] {
    const { kysely } = this.#world.db
    return [
      {
        event: ['server.crashed', 'server.hung'],
        read: async (ids) =>
          (await incidentsSince(kysely, ids, since, rowsMax)).map(({ id, kind, at, message, ...server }) => ({
            ...ofServer(server),
            ...{
              event: kind === 'crash' ? 'server.crashed' : 'server.hung',
              key: `incident:${server.serverId}:${id}`,
              at,
            },
            message: `Server ${server.serverName}: ${message}`,
          })),
      },
      {
        event: ['backup.completed', 'backup.failed'],
        read: async (ids) =>
          (await backupsSince(kysely, ids, since, rowsMax)).map(({ id, name, state, message, at, ...server }) => ({
            ...ofServer(server),
            ...{
              event: state === 'ready' ? 'backup.completed' : 'backup.failed',
              key: `backup:${id}:${state}`,
              at: at ?? 0,
            },
            message:
              state === 'ready'
                ? `Backup ${name} of server ${server.serverName} is ready`
                : `Backup ${name} of server ${server.serverName} failed: ${message ?? 'nobody knows why'}`,
            subject: { kind: 'backup', id, name },
          })),
      },
      {
        event: ['schedule.failed'],
        read: async (ids) =>
          (await failedRunsSince(kysely, ids, since, rowsMax)).map(
            ({ id, scheduleId, name, state, message, at, ...server }) => ({
              ...ofServer(server),
              ...{ event: 'schedule.failed', key: `run:${id}`, at: at ?? 0 },
              message: `Schedule ${name} of server ${server.serverName} ${state === 'failed' ? 'failed' : 'was interrupted'}: ${message ?? 'its runs say why'}`,
              subject: { kind: 'schedule', id: scheduleId, name },
            }),
          ),
      },
    ]
  }

  /** A server has come to another state; or its node has said it again. */
  async #state(node: LiveNode, state: ServerState): Promise<void> {
    const { db, webhooks, log, clock } = this.#world
    try {
      const event = stateEvent(state)
      if (event === null || (await webhooks.wantedBy(event)).size === 0) return
      const server = await serverFor(db.kysely, node.id, state.id)
      if (!server || !(await webhooks.wantedBy(event)).has(server.workspaceId)) return
      await this.#tell({
        ...ofServer({ serverId: server.id, serverName: server.name, workspaceId: server.workspaceId }),
        ...{ event, key: `state:${state.id}:${event}:${state.since}`, at: Math.min(state.since, clock.now()) },
        message: `Server ${server.name} ${stateWords[event] ?? event}${state.message ? `: ${state.message}` : ''}`,
      })
    } catch (error) {
      // The node says its states again when it comes back, and what they mean is told then.
      log.warn({ err: error, server: state.id }, 'a server’s state could not be told to webhooks')
    }
  }

  /** The database knows what was told; what this panel has just told itself need not ask it. */
  async #tell(event: WebhookEvent): Promise<void> {
    if (this.#told.has(event.key)) return
    await this.#world.webhooks.emit(event)
    this.#told.add(event.key)
    const [oldest] = this.#told
    if (this.#told.size > toldMax && oldest !== undefined) this.#told.delete(oldest)
  }

  #queued(work: () => Promise<void>): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      if (this.#stopped) return
      try {
        await work()
      } catch (error) {
        this.#world.log.error({ err: error }, 'could not look for what webhooks want to know; trying again')
      }
    })
    return this.#looking
  }
}

const stateWords: Readonly<Partial<Record<WebhookEventName, string>>> = {
  'server.started': 'runs',
  'server.stopped': 'has stopped',
  'server.install_failed': 'could not be installed',
}

function ofServer({
  serverId,
  serverName: name,
  workspaceId,
}: {
  serverId: string
  serverName: string
  workspaceId: string
}): Pick<WebhookEvent, 'workspaceId' | 'server' | 'subject'> {
  const id = `servers/${serverId}`
  return { workspaceId, server: { id, name }, subject: { kind: 'server', id, name } }
}

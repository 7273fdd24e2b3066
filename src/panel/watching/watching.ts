import type { ServerState } from '../../contract/node.ts'
import type { Incident } from '../../contract/node-watching.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { printableLine } from '../../lib/printable.ts'
import { Signal } from '../../lib/signals.ts'
import type { Activity } from '../activity/index.ts'
import type { Database, IncidentRow } from '../db/index.ts'
import { answerOf, type LiveNode, type Nodes } from '../nodes/index.ts'
import { aheadMs, incidentKeptMs, incidentsPerServer, napsSeenMax, repliesMax } from './limits.ts'
import { forgetIncidents, incidentsOf, insertIncident, newestOfNode, serverOfNode } from './store.ts'

/** An incident that was not known before, to any panel. */
export interface Happened {
  incident: IncidentRow
  server: { id: string; name: string; workspace_id: string }
}

export interface WatchingOptions {
  db: Database
  clock: Clock
  log: Log
  nodes: Pick<Nodes, 'observe'>
  activity: Pick<Activity, 'record'>
}

/** What went wrong with servers: taken from their nodes, also what happened while no panel was there. */
export class Watching implements AsyncDisposable {
  /** Told once for each, by the panel that was first to write it down. */
  readonly happened = new Signal<Happened>()
  readonly #options: WatchingOptions
  readonly #stop: () => void
  readonly #running = new Set<Promise<void>>()
  /** The newest nap of each server that this panel has written down. */
  readonly #napsSeen = new Map<string, string>()

  constructor(options: WatchingOptions) {
    this.#options = options
    this.#stop = options.nodes.observe({
      up: async (node) => this.#background(this.#catchUp(node)),
      event: async (node, event) => {
        if (event.type === 'state') await this.#naps(node, event.state)
        if (event.type !== 'incident') return
        await this.#take(node, event.id, event.incident).catch((error: unknown) =>
          // It is on the node, which tells it again when it comes back.
          options.log.warn({ err: error, node: node.name, server: event.id }, 'an incident could not be written down'),
        )
      },
    })
  }

  /** Newest first. */
  of(serverId: string): Promise<IncidentRow[]> {
    return incidentsOf(this.#options.db.kysely, serverId, incidentsPerServer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop()
    await Promise.all([...this.#running])
  }

  /** Asks for what happened since the newest that is known. */
  async #catchUp(node: LiveNode): Promise<void> {
    const { db, log } = this.#options
    try {
      let after = Math.min(await newestOfNode(db.kysely, node.id), this.#options.clock.now())
      for (let reply = 0; reply < repliesMax && !node.signal.aborted; reply++) {
        const missed = await answerOf(node.name, node.client.incidents({ query: { after } }))
        for (const { id, incident } of missed) await this.#take(node, id, incident)
        const newest = missed.at(-1)?.incident.at
        if (newest === undefined || newest <= after) return
        after = newest
      }
    } catch (error) {
      if (!node.signal.aborted) log.warn({ err: error, node: node.name }, 'the node did not say what went wrong on it')
    }
  }

  async #take(node: LiveNode, serverId: string, told: Incident): Promise<void> {
    const { db, clock, activity } = this.#options
    const now = clock.now()
    const server = await serverOfNode(db.kysely, node.id, serverId)
    if (!server) return
    const incident = rowOf(serverId, told, now)
    if (incident.at < now - incidentKeptMs) return
    if (!(await insertIncident(db.kysely, incident))) return
    await forgetIncidents(db.kysely, serverId, incidentsPerServer, now - incidentKeptMs)
    if (incident.kind === 'hang')
      activity.record({
        who: null,
        operation: incident.restarts === 1 ? 'watchdogRestart' : 'watchdogHang',
        permission: null,
        subject: incident.message,
        serverId,
        workspaceId: server.workspace_id,
        address: null,
        userAgent: null,
        code: null,
      })
    this.happened.emit({ incident, server })
  }

  /** Each state tells the newest naps again, to every panel: each is written down under an id of its own. */
  async #naps(node: LiveNode, { id, naps }: ServerState): Promise<void> {
    const newest = naps?.at(-1)
    if (!naps || !newest || this.#napsSeen.get(id) === newest.id) return
    const { db, clock, activity, log } = this.#options
    try {
      const server = await serverOfNode(db.kysely, node.id, id)
      if (!server) return
      const now = clock.now()
      for (const nap of naps) {
        if (nap.at > now + aheadMs || nap.at < now - incidentKeptMs) continue
        activity.record(
          {
            ...{ who: null, operation: nap.kind === 'slept' ? 'serverSlept' : 'serverWoke', permission: null },
            ...{ subject: printableLine(nap.why), serverId: id, workspaceId: server.workspace_id },
            ...{ address: nap.address && printableLine(nap.address), userAgent: null, code: null },
          },
          { at: nap.at, key: nap.id },
        )
      }
      if (this.#napsSeen.size >= napsSeenMax) this.#napsSeen.clear()
      this.#napsSeen.set(id, newest.id)
    } catch (error) {
      // It comes again with the next state.
      log.warn({ err: error, node: node.name, server: id }, 'the naps of a server could not be written down')
    }
  }

  #background(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}

/** What a node says is as untrusted as the node, and its lines are those of a game. */
const rowOf = (serverId: string, told: Incident, now: number): IncidentRow => ({
  server_id: serverId,
  id: told.id,
  kind: told.kind,
  at: told.at > now + aheadMs || told.at < 0 ? now : told.at,
  message: printableLine(told.message),
  code: told.code,
  signal: told.signal && printableLine(told.signal),
  out_of_memory: told.outOfMemory ? 1 : 0,
  restarts: told.restarts ? 1 : 0,
  lines: JSON.stringify(told.lines.map((line) => printableLine(line))),
})

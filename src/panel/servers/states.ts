import type { z } from 'zod'
import type { LiveUsage } from '../../contract/api/servers.ts'
import type { ServerState, ServerUsage } from '../../contract/node.ts'
import type { BackupReport } from '../../contract/node-backups.ts'
import type { Players } from '../../contract/node-watching.ts'
import type { ServerStatus } from '../../contract/power.ts'
import type { TransferStage } from '../../contract/transfer-stages.ts'
import type { Clock } from '../../lib/clock.ts'
import { Signal } from '../../lib/signals.ts'
import { statusOf } from './status.ts'

/** What has just become true of one server. */
export type ServerNews =
  | {
      type: 'transfer'
      serverId: string
      transferId: string
      stage: TransferStage
      percent: number
      bytesDone: number
      bytesTotal: number
      message: string | null
    }
  | { type: 'status'; serverId: string; status: ServerStatus; message: string | null }
  | { type: 'usage'; serverId: string; usage: z.input<typeof LiveUsage> }
  | {
      type: 'backup'
      serverId: string
      backupId: string
      state: BackupReport['state']
      percent: number
      bytesDone: number
      bytesTotal: number
      size: number
      message: string | null
    }

interface Reporter {
  readonly id: string
  readonly name: string
}

interface Entry {
  state: ServerState
  suspended: boolean
  /** Who plays, as far as the node has said it of this run. */
  players: Players | null
}

/**
 * What each node says, over the link that it holds now, about its own servers. Nothing of it outlives that link: a node that
 * comes back says everything anew. The entries of one node are apart from those of another, so none can speak for another's server.
 */
export class ServerStates {
  readonly news = new Signal<ServerNews>()
  /** Servers on their way to another node, as far as this panel knows. */
  readonly #moves = new Map<string, string>()
  readonly #nodes = new Map<string, { node: Reporter; entries: Map<string, Entry> }>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  of(nodeId: string, serverId: string): ServerState | null {
    return this.#nodes.get(nodeId)?.entries.get(serverId)?.state ?? null
  }

  /** Takes what the node said as the newest. */
  report(node: Reporter, state: ServerState, suspended: boolean): void {
    const known = this.#nodes.get(node.id)
    const of = known?.node === node ? known : { node, entries: new Map<string, Entry>() }
    this.#nodes.set(node.id, of)
    const before = of.entries.get(state.id)
    const players = state.phase === 'running' && before?.state.since === state.since ? before.players : null
    const entry = { state, suspended, players }
    of.entries.set(state.id, entry)
    this.news.emit({ type: 'status', serverId: state.id, ...this.#status(node, entry, true) })
  }

  /**
   * Takes what the node replied to a request. Its events come over another stream and may be ahead: a phase that began
   * later than this one stays.
   */
  offer(node: Reporter, state: ServerState, suspended: boolean): void {
    const known = this.#nodes.get(node.id)
    const held = known?.node === node ? known.entries.get(state.id) : undefined
    if (!held || (held.state.since < state.since && held.state.phase !== state.phase))
      this.report(node, state, suspended)
  }

  /** The panel has decided so; what the node says stays as it is. */
  suspend(nodeId: string, serverId: string, suspended: boolean): void {
    const of = this.#nodes.get(nodeId)
    const entry = of?.entries.get(serverId)
    if (of && entry && entry.suspended !== suspended) this.report(of.node, entry.state, suspended)
  }

  /** Usage alone. Of a server that the node has not reported it means nothing. */
  use(node: Reporter, serverId: string, usage: ServerUsage): void {
    const known = this.#nodes.get(node.id)
    const entry = known?.node === node ? known.entries.get(serverId) : undefined
    if (!entry) return
    entry.state = { ...entry.state, usage }
    this.#tellUsage(serverId, entry)
  }

  /** Who plays. Of a server that does not run it means nothing. */
  play(node: Reporter, serverId: string, players: Players | null): void {
    const known = this.#nodes.get(node.id)
    const entry = known?.node === node ? known.entries.get(serverId) : undefined
    if (entry?.state.phase !== 'running') return
    const changed = entry.players?.online !== players?.online || entry.players?.max !== players?.max
    entry.players = players
    if (changed) this.#tellUsage(serverId, entry)
  }

  playersOf(nodeId: string, serverId: string): Players | null {
    return this.#nodes.get(nodeId)?.entries.get(serverId)?.players ?? null
  }

  /** It is on its way to another node, so far; null once it stays again. */
  move(nodeId: string, serverId: string, words: string | null): void {
    if (words === null) this.#moves.delete(serverId)
    else this.#moves.set(serverId, words)
    const known = this.#nodes.get(nodeId)
    const entry = known?.entries.get(serverId)
    if (known && entry) this.report(known.node, entry.state, entry.suspended)
    else if (words !== null) this.news.emit({ type: 'status', serverId, status: 'transferring', message: words })
  }

  /** What is said of a server that is on its way; another panel may know more. */
  movingWords(serverId: string): string {
    return this.#moves.get(serverId) ?? 'It is being moved to another node.'
  }

  /** How many servers of the nodes that are here are in each status, and how many play on them. */
  counts(): { statuses: Map<ServerStatus, number>; players: number } {
    const statuses = new Map<ServerStatus, number>()
    let players = 0
    for (const { node, entries } of this.#nodes.values())
      for (const entry of entries.values()) {
        const { status } = this.#status(node, entry, true)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        players += entry.players?.online ?? 0
      }
    return { statuses, players }
  }

  forget(nodeId: string, serverId: string): void {
    this.#nodes.get(nodeId)?.entries.delete(serverId)
  }

  /** The node's link has ended; news for the link of another, newer one changes nothing. */
  away(node: Reporter): void {
    const known = this.#nodes.get(node.id)
    if (known?.node !== node) return
    this.#nodes.delete(node.id)
    for (const [serverId, entry] of known.entries)
      this.news.emit({ type: 'status', serverId, ...this.#status(node, entry, false) })
  }

  #tellUsage(serverId: string, { state, players }: Entry): void {
    const live = liveUsage(state, this.#clock.now(), players)
    if (live) this.news.emit({ type: 'usage', serverId, usage: live })
  }

  #status(node: Reporter, { state, suspended }: Entry, nodeOnline: boolean) {
    const moving = this.#moves.get(state.id) ?? null
    return statusOf({ suspended, moving, nodeName: node.name, nodeOnline, state, reported: true })
  }
}

/** Null while the node has measured nothing. A node's clock may differ from ours, so uptime is never below zero. */
export function liveUsage(state: ServerState, now: number, players: Players | null): z.input<typeof LiveUsage> | null {
  if (!state.usage) return null
  const { memoryBytes, cpuCores, diskBytes, networkRxBytes, networkTxBytes } = state.usage
  const up = state.phase === 'running' ? Math.max(0, Math.floor((now - state.since) / 1000)) : null
  const counted = players?.online == null ? null : { online: players.online, max: players.max }
  return { memoryBytes, cpuCores, diskBytes, networkRxBytes, networkTxBytes, uptimeSeconds: up, players: counted }
}

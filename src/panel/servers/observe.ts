import type { NodeEvent, ServerState } from '../../contract/node.ts'
import { answerOf, isRefusal, type LiveNode } from '../nodes/index.ts'
import { messageCharsMax, strangersLoggedMax } from './limits.ts'
import { clearStartWhenInstalled, type Reported, saveState, serverDetail } from './store.ts'
import type { ServersWorld } from './world.ts'

type Seen = Pick<ServersWorld, 'db' | 'states' | 'log'>

/**
 * Takes in what a node says about servers. Only its own count: a word about another node's server, an unknown one or one
 * that is being deleted changes nothing and is logged.
 */
export class NodeReports {
  readonly #world: Seen
  readonly #logged = new WeakMap<LiveNode, Set<string>>()

  constructor(world: Seen) {
    this.#world = world
  }

  async take(node: LiveNode, event: NodeEvent): Promise<void> {
    switch (event.type) {
      case 'usage':
        return this.#world.states.use(node, event.id, event.usage)
      case 'removed':
        return this.#removed(node, event.id)
      case 'players':
        return this.#world.states.play(node, event.id, event.players)
      case 'backup':
      case 'incident':
        return
      case 'state':
        return this.#state(node, { ...event.state, message: event.state.message?.slice(0, messageCharsMax) ?? null })
    }
  }

  async #state(node: LiveNode, state: ServerState): Promise<void> {
    const { db, states } = this.#world
    const row = await saveState(db.kysely, node.id, state.id, JSON.stringify(state))
    if (!row) return this.#stranger(node, state.id)
    states.report(node, state, row.suspended_at !== null)
    if (row.start_when_installed === 1) await this.#startWhenInstalled(node, state, row)
  }

  /** The flag goes once the start has been accepted, so a panel that dies in between starts it all the same. */
  async #startWhenInstalled(node: LiveNode, state: ServerState, row: Reported): Promise<void> {
    const { db, states, log } = this.#world
    if (state.phase === 'installing' || state.phase === 'install_failed') return
    if (state.phase === 'offline') {
      try {
        await answerOf(node.name, node.client.power({ params: { server: state.id }, body: { action: 'start' } }))
      } catch (error) {
        log.warn({ node: node.name, server: state.id, err: error }, 'a new server could not be started')
        // A node that is lost comes back and reports again; a node that refuses would refuse again.
        if (!isRefusal(error)) return
        const told = { ...state, message: error.message }
        await saveState(db.kysely, node.id, state.id, JSON.stringify(told))
        states.report(node, told, row.suspended_at !== null)
      }
    }
    await clearStartWhenInstalled(db.kysely, state.id)
  }

  async #removed(node: LiveNode, id: string): Promise<void> {
    this.#world.states.forget(node.id, id)
    const row = await serverDetail(this.#world.db.kysely, id)
    if (row?.node_id === node.id && row.deleted_at === null) {
      this.#world.log.warn(
        { node: node.name, server: id },
        'the node says that it has removed a server that nobody deleted',
      )
    }
  }

  #stranger(node: LiveNode, id: string): void {
    const logged = this.#logged.get(node) ?? new Set<string>()
    this.#logged.set(node, logged)
    if (logged.has(id) || logged.size >= strangersLoggedMax) return
    logged.add(id)
    this.#world.log.warn({ node: node.name, server: id }, 'the node speaks of a server that is not its own; ignored')
  }
}

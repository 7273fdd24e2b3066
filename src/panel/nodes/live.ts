import { ApiError, type Client, createClient } from '../../client/index.ts'
import { conflict } from '../../contract/errors.ts'
import type { PanelEndpoint } from '../../contract/join-token.ts'
import { type EdgeEndpoint, type NodeEvent, type NodeFacts, nodeOperations, nodeSockets } from '../../contract/node.ts'
import { featureWords, type NodeFeature, nodeFeatures } from '../../contract/node-protocol.ts'
import { linkSend, openLinkSocket } from '../../http/index.ts'
import { backoffMs, reconnectBackoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { Link } from '../../link/index.ts'
import { answerOf } from './call.ts'
import { factsCharsMax, factsEveryMs } from './limits.ts'

export type NodeClient = Client<typeof nodeOperations>

/** What a live node needs of the panel. */
export interface LiveNodeWorld {
  clock: Clock
  log: Log
  /** Those that this node links to. */
  edges(nodeId: string): Promise<EdgeEndpoint[]>
  /** Every panel of this installation; none where there cannot be others. */
  panels(): readonly PanelEndpoint[]
  /** Keeps the facts; false where the node has been forgotten. */
  saveFacts(nodeId: string, facts: NodeFacts): Promise<boolean>
  /** Its facts are known: everything may be asked of it now. */
  up(node: LiveNode): Promise<void>
  event(node: LiveNode, event: NodeEvent): Promise<void>
}

/** A node over the link that it holds now. It lives as long as that link; coming back makes a new one. */
export class LiveNode {
  readonly id: string
  readonly name: string
  /** The version of the protocol that it and this panel speak. */
  readonly protocol: number
  readonly link: Link
  readonly client: NodeClient
  facts: NodeFacts | null = null
  readonly #world: LiveNodeWorld
  readonly #ended = new AbortController()
  readonly #edgePushes = new Queue()

  constructor(row: { id: string; name: string; protocol: number }, link: Link, world: LiveNodeWorld) {
    this.id = row.id
    this.name = row.name
    this.protocol = row.protocol
    this.link = link
    // A node is untrusted: what it says must be what the contract says.
    this.client = createClient(nodeOperations, { baseUrl: '', send: linkSend(() => link), checkReplies: true })
    this.#world = world
  }

  /** Whether it is new enough for that. */
  knows(feature: NodeFeature): boolean {
    return this.protocol >= nodeFeatures[feature]
  }

  /** Throws `conflict` in words for people unless it is. */
  mustKnow(feature: NodeFeature): void {
    if (!this.knows(feature)) throw conflict(`Node ${this.name} is too old for ${featureWords[feature]}: update it.`)
  }

  /** Aborted when the link has ended. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Gets to know the node, then reads its events until the link ends. Never rejects. */
  async run(): Promise<void> {
    void this.link.closed.then(() => this.#ended.abort())
    try {
      if (!(await this.#learn())) return this.link.close('This node has been removed from the panel.')
      await this.#world.up(this)
    } catch (error) {
      if (this.signal.aborted) return
      this.#world.log.warn({ node: this.name, err: error }, 'node does not answer as a node should')
      return this.link.close('The panel could not get to know this node.')
    }
    void this.pushEdges()
    void this.pushPanels()
    await Promise.all([this.#readEvents(), this.#relearn()])
  }

  /** Tells the node which edges there are, in the order of the calls. Never rejects. */
  pushEdges(): Promise<void> {
    return this.#edgePushes.run(async () => {
      if (this.signal.aborted) return
      try {
        await answerOf(this.name, this.client.putEdges({ body: await this.#world.edges(this.id) }))
      } catch (error) {
        if (!this.signal.aborted)
          this.#world.log.warn({ node: this.name, err: error }, 'could not tell the node its edges')
      }
    })
  }

  /** Tells the node which panels there are. Never rejects. */
  pushPanels(): Promise<void> {
    return this.#edgePushes.run(async () => {
      const panels = [...this.#world.panels()]
      if (this.signal.aborted || panels.length === 0) return
      try {
        await this.client.putPanels({ body: panels })
      } catch (error) {
        const isOlder = error instanceof ApiError && error.code === 'not_found'
        if (!this.signal.aborted && !isOlder)
          this.#world.log.warn({ node: this.name, err: error }, 'could not tell the node its panels')
      }
    })
  }

  async #learn(): Promise<boolean> {
    const facts = await answerOf(this.name, this.client.facts({}))
    if (JSON.stringify(facts).length > factsCharsMax) throw new Error('The node says more about itself than fits')
    if (!(await this.#world.saveFacts(this.id, facts))) return false
    this.facts = facts
    return true
  }

  async #relearn(): Promise<void> {
    for (;;) {
      await this.#world.clock.sleep(factsEveryMs, this.signal).catch(() => undefined)
      if (this.signal.aborted) return
      try {
        if (!(await this.#learn())) return this.link.close('This node has been removed from the panel.')
      } catch (error) {
        if (!this.signal.aborted) this.#world.log.warn({ node: this.name, err: error }, 'node did not say what it is')
      }
    }
  }

  /** One event after the other: a node that floods waits for the panel, the panel does not pile up its events. */
  async #readEvents(): Promise<void> {
    for (let attempt = 0; !this.signal.aborted; attempt += 1) {
      try {
        for await (const event of await openLinkSocket(this.link, nodeSockets.events, {}, this.signal)) {
          attempt = 0
          await this.#world.event(this, event)
        }
      } catch (error) {
        if (!this.signal.aborted) this.#world.log.warn({ node: this.name, err: error }, 'events of the node broke off')
      }
      await this.#world.clock.sleep(backoffMs(attempt, reconnectBackoff), this.signal).catch(() => undefined)
    }
  }
}

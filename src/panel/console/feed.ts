import { type ConsoleLine, nodeSockets } from '../../contract/node.ts'
import { openLinkSocket } from '../../http/index.ts'
import { backoffMs, reconnectBackoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { Signal } from '../../lib/signals.ts'
import type { LiveNode, Nodes } from '../nodes/index.ts'
import { feedCharsMax, feedLinesMax } from './limits.ts'
import { charsOf, shownLine } from './line.ts'

export interface FeedsWorld {
  nodes: Nodes
  clock: Clock
  log: Log
}

export interface WatchedServer {
  id: string
  nodeId: string
}

/** The consoles that somebody watches: one stream from the node per server, whoever watches and however many. */
export class ConsoleFeeds implements AsyncDisposable {
  readonly #world: FeedsWorld
  readonly #feeds = new Map<string, Feed>()
  readonly #running = new Set<Promise<void>>()
  readonly #ups = new Signal<string>()
  readonly #stopObserving: () => void

  constructor(world: FeedsWorld) {
    this.#world = world
    this.#stopObserving = world.nodes.observe({ up: async (node) => this.#ups.emit(node.id) })
  }

  /**
   * Calls `onLines` with the newest `backlog` lines, then with each later line, in order, none twice and none left out; while
   * the node is away it waits, and goes on where it was. The returned function ends it; no call comes after that.
   */
  watch(server: WatchedServer, backlog: number, onLines: (lines: ConsoleLine[]) => void): () => void {
    const feed = this.#feeds.get(server.id) ?? this.#open(server)
    return feed.join(backlog, onLines)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopObserving()
    for (const feed of this.#feeds.values()) feed.stop()
    await Promise.allSettled([...this.#running])
  }

  #open(server: WatchedServer): Feed {
    const feed = new Feed(server, this.#world, this.#ups, () => {
      if (this.#feeds.get(server.id) === feed) this.#feeds.delete(server.id)
    })
    this.#feeds.set(server.id, feed)
    const running: Promise<void> = feed.run().finally(() => this.#running.delete(running))
    this.#running.add(running)
    return feed
  }
}

interface Watcher {
  backlog: number
  onLines(lines: ConsoleLine[]): void
}

class Feed {
  readonly #server: WatchedServer
  readonly #world: FeedsWorld
  readonly #ups: Signal<string>
  readonly #onEmpty: () => void
  readonly #watchers = new Set<Watcher>()
  readonly #stopped = new AbortController()
  #lines: ConsoleLine[] = []
  #chars = 0
  #lastSeq = Number.NEGATIVE_INFINITY
  /** The node has sent its backlog once; from then on `#lines` are the newest there are. */
  #primed = false

  constructor(server: WatchedServer, world: FeedsWorld, ups: Signal<string>, onEmpty: () => void) {
    this.#server = server
    this.#world = world
    this.#ups = ups
    this.#onEmpty = onEmpty
  }

  join(backlog: number, onLines: (lines: ConsoleLine[]) => void): () => void {
    const watcher: Watcher = { backlog, onLines }
    this.#watchers.add(watcher)
    if (this.#primed) this.#show(watcher, newest(this.#lines, backlog))
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.stop()
    }
  }

  stop(): void {
    this.#onEmpty()
    this.#stopped.abort()
  }

  async run(): Promise<void> {
    const { nodes, clock, log } = this.#world
    for (let attempt = 0; !this.#stopped.signal.aborted; attempt += 1) {
      const node = nodes.online(this.#server.nodeId)
      if (!node) {
        await this.#nodeIsBack()
        attempt = -1
        continue
      }
      try {
        await this.#follow(node, () => {
          attempt = 0
        })
      } catch (error) {
        if (!this.#stopped.signal.aborted && !node.signal.aborted)
          log.debug({ server: this.#server.id, node: node.name, err: error }, 'the console stream broke off')
      }
      if (node.signal.aborted) continue
      await clock.sleep(backoffMs(attempt, reconnectBackoff), this.#stopped.signal).catch(() => undefined)
    }
  }

  /** Always asks for the whole backlog: what was missed while the node was away is in it, what was seen is left out. */
  async #follow(node: LiveNode, heard: () => void): Promise<void> {
    const lines = await openLinkSocket(
      node.link,
      nodeSockets.consoleLines,
      { params: { server: this.#server.id }, query: { backlog: feedLinesMax } },
      AbortSignal.any([node.signal, this.#stopped.signal]),
    )
    for await (const batch of lines) {
      heard()
      this.#take(batch)
    }
  }

  #take(batch: readonly ConsoleLine[]): void {
    const fresh: ConsoleLine[] = []
    for (const line of batch) {
      if (line.seq <= this.#lastSeq) continue
      this.#lastSeq = line.seq
      fresh.push(shownLine(line))
    }
    this.#keep(fresh)
    const first = !this.#primed
    this.#primed = true
    for (const watcher of [...this.#watchers]) this.#show(watcher, first ? newest(fresh, watcher.backlog) : fresh)
  }

  #keep(fresh: readonly ConsoleLine[]): void {
    this.#lines.push(...fresh)
    for (const line of fresh) this.#chars += charsOf(line)
    let over = 0
    while (over < this.#lines.length && (this.#lines.length - over > feedLinesMax || this.#chars > feedCharsMax)) {
      const line = this.#lines[over]
      if (line) this.#chars -= charsOf(line)
      over += 1
    }
    if (over > 0) this.#lines = this.#lines.slice(over)
  }

  #show(watcher: Watcher, lines: ConsoleLine[]): void {
    if (lines.length > 0 && this.#watchers.has(watcher)) watcher.onLines(lines)
  }

  #nodeIsBack(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stopHearing()
        this.#stopped.signal.removeEventListener('abort', done)
        resolve()
      }
      const stopHearing = this.#ups.on((nodeId) => {
        if (nodeId === this.#server.nodeId) done()
      })
      this.#stopped.signal.addEventListener('abort', done, { once: true })
      if (this.#stopped.signal.aborted || this.#world.nodes.online(this.#server.nodeId)) done()
    })
  }
}

const newest = (lines: ConsoleLine[], most: number): ConsoleLine[] => (most === 0 ? [] : lines.slice(-most))

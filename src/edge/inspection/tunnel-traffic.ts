import type { SeenConnection, SeenRequest, SeenRequestFacts } from '../../contract/edge-inspection.ts'
import { type CaptureSettings, captureDefaults } from '../../contract/tunnel-capture.ts'
import { randomText } from '../../lib/ids.ts'
import { Allowance } from '../ingress/allowance.ts'
import { newsBatchMs, replaysBurst, replaysPerSecond, watchersPerTunnelMax } from './limits.ts'
import { type ConnectionStart, LiveConnection } from './live-connection.ts'
import { Redaction } from './redaction.ts'
import { type Keeper, KeptRequest, type RequestStart } from './seen-request.ts'

/** Where the memory for all tunnels is counted. */
export interface Books {
  now(): number
  /** So much more, or less, is kept of this workspace's requests; it may have to make room at once. */
  spend(workspaceId: string, bytes: number): void
}

/** Where an answer about requests has ended. */
export interface Since {
  run: string
  change: number
}

/**
 * What an edge knows of the visitors of one tunnel: who is connected, and the last requests, within the bounds that the tunnel's owner has
 * set. It outlives the tunnel: an agent that comes back finds it again.
 */
export class TunnelTraffic {
  readonly workspaceId: string
  /** Replays under way, and how many more may begin. */
  replays = 0
  /** Open tunnels that tell of their visitors here. */
  holders = 0
  readonly replayAllowance = new Allowance(replaysPerSecond, replaysBurst, performance.now())
  /** Begins every id, so that none of them means another thing after the edge has begun anew. */
  readonly #run = randomText(runChars)
  readonly #books: Books
  /** Oldest first. */
  readonly #requests = new Map<number, KeptRequest>()
  readonly #connections = new Map<number, LiveConnection>()
  readonly #watchers = new Set<() => void>()
  readonly #keeper: Keeper
  #settings: CaptureSettings = captureDefaults
  #redaction = new Redaction(captureDefaults)
  #bytes = 0
  #numbers = 0
  #changes = 0
  #batch: NodeJS.Timeout | null = null

  constructor(workspaceId: string, books: Books) {
    this.workspaceId = workspaceId
    this.#books = books
    const settings = (): CaptureSettings => this.#settings
    this.#keeper = {
      now: () => books.now(),
      get contentBytes() {
        const { mode, bodyBytes } = settings()
        return mode === 'full' ? bodyBytes : null
      },
      grown: (request, bytes) => {
        if (this.#requests.has(request.number)) this.#spend(bytes)
      },
      changed: (request) => {
        if (this.#requests.has(request.number)) this.#tell(request)
      },
    }
  }

  get settings(): CaptureSettings {
    return this.#settings
  }

  get redaction(): Redaction {
    return this.#redaction
  }

  /** Nobody needs it any more. */
  get idle(): boolean {
    const { size: kept } = this.#requests
    return kept + this.#connections.size + this.#watchers.size + this.replays + this.holders === 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** When the oldest request came, ms since 1970; infinite without one. */
  get oldest(): number {
    for (const { at } of this.#requests.values()) return at
    return Number.POSITIVE_INFINITY
  }

  /** What holds from now on. What may not be kept any more goes at once. */
  configure(settings: CaptureSettings = captureDefaults): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return
    this.#settings = settings
    this.#redaction = new Redaction(settings)
    if (settings.mode === 'off') this.erase('all')
    else if (settings.mode === 'metadata') this.erase('contents')
    this.trim(this.#books.now())
  }

  connect(start: ConnectionStart): LiveConnection {
    const connection = new LiveConnection(++this.#numbers, start, this.#books.now(), (gone) => {
      this.#connections.delete(gone.number)
    })
    this.#connections.set(connection.number, connection)
    return connection
  }

  /** A request has begun. @param connection null for one that is no visitor's. */
  begin(start: RequestStart, address: string, connection: LiveConnection | null): KeptRequest {
    const request = new KeptRequest(++this.#numbers, start, address, connection, this.#keeper)
    if (this.#settings.mode === 'off') return request
    this.#requests.set(request.number, request)
    this.#tell(request)
    this.#spend(request.cost)
    if (this.#requests.size > this.#settings.requests) this.dropOldest()
    return request
  }

  /** The id under which people know a request. */
  idOf(request: KeptRequest): string {
    return `${this.#run}${request.number.toString(36)}`
  }

  find(id: string): KeptRequest | undefined {
    return this.#requests.get(this.#numberOf(id))
  }

  read(id: string): SeenRequest | null {
    return this.find(id)?.whole(this.#run, this.#redaction) ?? null
  }

  shown(request: KeptRequest): SeenRequest {
    return request.whole(this.#run, this.#redaction)
  }

  /**
   * The newest, newest first; or, after `since`, those that have changed, in the order in which they did.
   */
  list(limit: number, since: Since | null): { run: string; change: number; requests: SeenRequestFacts[] } {
    const all = [...this.#requests.values()]
    if (since === null) {
      const newest = all.slice(-limit).reverse()
      return { run: this.#run, change: this.#changes, requests: newest.map((one) => this.#facts(one)) }
    }
    const known = since.run === this.#run ? since.change : 0
    const changed = all.filter(({ change }) => change > known).sort((left, right) => left.change - right.change)
    const told = changed.slice(0, limit)
    const change = told.length < changed.length ? (told.at(-1)?.change ?? known) : this.#changes
    return { run: this.#run, change, requests: told.map((one) => this.#facts(one)) }
  }

  /** Whether there is something to be told after `since`. */
  hasNews(since: Since): boolean {
    return this.#changes > (since.run === this.#run ? since.change : 0) && this.#requests.size > 0
  }

  /** Resolves with the next news, after `ms`, or when `signal` aborts; at once where too many wait already. */
  async news(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#watchers.size >= watchersPerTunnelMax || signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#watchers.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      timer.unref()
      signal.addEventListener('abort', done, { once: true })
      this.#watchers.add(done)
    })
  }

  /** Those that have lasted longest. */
  connections(limit: number): { connections: SeenConnection[]; total: number } {
    const now = this.#books.now()
    const first: SeenConnection[] = []
    for (const connection of this.#connections.values()) {
      if (first.length === limit) break
      first.push(connection.facts(this.#run, now))
    }
    return { connections: first, total: this.#connections.size }
  }

  /** False where it is gone. */
  cut(id: string): boolean {
    const connection = this.#connections.get(this.#numberOf(id))
    connection?.start.cut()
    return connection !== undefined
  }

  /** @returns how many requests were touched. */
  erase(what: 'all' | 'contents'): number {
    let erased = 0
    for (const request of this.#requests.values()) {
      if (what === 'all') this.#drop(request)
      else {
        if (!request.contents) continue
        this.#spend(-request.dropContents())
      }
      erased++
    }
    return erased
  }

  /** Lets go of what is too old, too many, or too much. */
  trim(now: number): void {
    const { requests, bytes, keptSeconds } = this.#settings
    for (const request of this.#requests.values()) {
      const tooOld = now - request.at >= keptSeconds * 1000
      if (!tooOld && this.#requests.size <= requests && this.#bytes <= bytes) return
      this.#drop(request)
    }
  }

  /** @returns what that makes free; 0: there is none. */
  dropOldest(): number {
    for (const request of this.#requests.values()) return this.#drop(request)
    return 0
  }

  close(): void {
    if (this.#batch) clearTimeout(this.#batch)
    for (const done of [...this.#watchers]) done()
    this.erase('all')
  }

  #facts(request: KeptRequest): SeenRequestFacts {
    return request.facts(this.#run, this.#redaction)
  }

  #numberOf(id: string): number {
    const number = id.slice(runChars)
    return id.startsWith(this.#run) && /^[0-9a-z]{1,10}$/.test(number) ? Number.parseInt(number, 36) : -1
  }

  #drop(request: KeptRequest): number {
    this.#requests.delete(request.number)
    const { cost } = request
    // It may still be on its way: nothing more of it is kept.
    request.dropContents()
    this.#spend(-cost)
    return cost
  }

  /** Beyond the tunnel's own bounds the oldest make room, the one that grows last. */
  #spend(bytes: number): void {
    this.#bytes += bytes
    this.#books.spend(this.workspaceId, bytes)
    while (this.#bytes > this.#settings.bytes && bytes > 0) if (this.dropOldest() === 0) return
  }

  #tell(request: KeptRequest): void {
    request.change = ++this.#changes
    if (this.#watchers.size === 0 || this.#batch) return
    this.#batch = setTimeout(() => {
      this.#batch = null
      for (const done of [...this.#watchers]) done()
    }, newsBatchMs)
    this.#batch.unref()
  }
}

/** More than can be guessed or met by chance. */
const runChars = 10

import type { Log } from '../../lib/log.ts'
import type { Access, Caller } from '../access/index.ts'
import type { Change, Database } from '../db/index.ts'
import { type ServerDetail, type ServerNews, type Servers, statusNow, visibleServers } from '../servers/index.ts'
import { eventOf } from './server-viewer.ts'
import { type Event, type EventChannel, Viewer } from './viewer.ts'

export interface OverviewViewerOptions {
  caller: Caller
  channel: EventChannel
  access: Pick<Access, 'serverAccess' | 'stillValid'>
  db: Database
  servers: Servers
  log: Log
}

/** Somebody who watches every server they can see. Which these are is kept, so that news about all others costs one look-up. */
export class OverviewViewer extends Viewer {
  readonly #options: OverviewViewerOptions
  #visible: ReadonlySet<string> = new Set()
  #lookWaiting = false
  /** While it is read which servers are visible: the last status of each that was not before. It may be newer than what is read. */
  readonly #meanwhile = new Map<string, ServerNews>()
  #looking = false

  constructor(options: OverviewViewerOptions) {
    super(options.caller, options.channel, options.access, options.log)
    this.#options = options
    this.#look(false)
  }

  tell(news: ServerNews): void {
    if (news.type === 'backup') return
    if (!this.#visible.has(news.serverId)) {
      if (this.#looking && news.type === 'status') this.#meanwhile.set(news.serverId, news)
      return
    }
    this.queue(async () => {
      if (!this.#visible.has(news.serverId)) return null
      return (await this.access.serverAccess(this.caller, news.serverId)) ? eventOf(news) : null
    })
  }

  recheck(change: Change | null): void {
    if (change) this.#look(true)
    // Whatever waits asks whether the session or key still counts.
    else this.queue(() => null)
  }

  refresh(): void {
    this.#look(true)
  }

  /** A server that has just been made is not visible yet: every one concerns. */
  protected sees(): boolean {
    return true
  }

  /** Reads anew which servers are visible, and tells what came, with its status, and what went. */
  #look(tell: boolean): void {
    if (this.#lookWaiting) return
    this.#lookWaiting = true
    this.queue(async () => {
      this.#lookWaiting = false
      this.#looking = true
      const rows = await this.#everyServer()
      this.#looking = false
      const before = this.#visible
      this.#visible = new Set(rows.map(({ id }) => id))
      const events: Event[] = []
      for (const row of rows) {
        if (before.has(row.id)) continue
        const serverId = `servers/${row.id}`
        if (tell) events.push({ type: 'created', serverId })
        events.push({ type: 'status', serverId, ...statusNow(this.#options.servers.world, row) })
      }
      for (const id of before) if (!this.#visible.has(id)) events.push({ type: 'deleted', serverId: `servers/${id}` })
      for (const news of this.#meanwhile.values()) this.tell(news)
      this.#meanwhile.clear()
      return events
    })
  }

  async #everyServer(): Promise<ServerDetail[]> {
    const { db, access, caller } = this.#options
    const all: ServerDetail[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await visibleServers({ db, access }, caller, { cursor })
      all.push(...page.servers)
      if (page.nextCursor === null) return all
      cursor = page.nextCursor
    }
  }
}

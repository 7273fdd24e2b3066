import type { Log } from '../../lib/log.ts'
import type { Access } from '../access/index.ts'
import type { Activity } from '../activity/index.ts'
import type { ConsoleFeeds, Consoles } from '../console/index.ts'
import type { Change, Changes, Database } from '../db/index.ts'
import type { Servers } from '../servers/index.ts'
import { ConsoleEvents } from './console-events.ts'
import { recheckEveryMs, viewersPerUserMax } from './limits.ts'
import { OverviewViewer, type OverviewViewerOptions } from './overview-viewer.ts'
import { ServerViewer, type ServerViewerOptions } from './server-viewer.ts'
import { endings } from './viewer.ts'

export interface ViewersWorld {
  db: Database
  changes: Changes
  access: Access
  servers: Servers
  consoles: Consoles
  feeds: ConsoleFeeds
  activity: Pick<Activity, 'record'>
  log: Log
}

/** Every live connection of this panel: each hears what happens, and feels within a second what takes its right away. */
export class Viewers implements AsyncDisposable {
  readonly #world: ViewersWorld
  readonly #consoleEvents = new ConsoleEvents()
  readonly #viewers = new Set<ServerViewer | OverviewViewer>()
  readonly #stops: (() => void)[]

  constructor(world: ViewersWorld) {
    this.#world = world
    // Access has subscribed before: what it remembered is forgotten by the time a viewer asks it again.
    const timer = setInterval(() => this.#recheckAll(), recheckEveryMs)
    timer.unref()
    this.#stops = [
      () => clearInterval(timer),
      world.changes.on((change) => this.#onChange(change)),
      world.changes.gap.on(() => {
        for (const viewer of this.#viewers) viewer.refresh()
      }),
      world.servers.news.on((news) => {
        for (const viewer of this.#viewers) viewer.tell(news)
      }),
    ]
  }

  get size(): number {
    return this.#viewers.size
  }

  addServer(options: Pick<ServerViewerOptions, 'caller' | 'channel' | 'server' | 'backlog' | 'from'>): void {
    if (this.#admit(options))
      this.#keep(new ServerViewer({ ...this.#world, consoleEvents: this.#consoleEvents, ...options }))
  }

  addOverview(options: Pick<OverviewViewerOptions, 'caller' | 'channel'>): void {
    if (this.#admit(options)) this.#keep(new OverviewViewer({ ...this.#world, ...options }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop()
    for (const viewer of this.#viewers) viewer.close(endings.stopping)
  }

  #admit({ caller, channel }: Pick<OverviewViewerOptions, 'caller' | 'channel'>): boolean {
    let own = 0
    for (const viewer of this.#viewers) if (viewer.caller.userId === caller.userId) own += 1
    if (own < viewersPerUserMax) return true
    channel.close(endings.tooMany.reason, endings.tooMany.cause)
    return false
  }

  #keep(viewer: ServerViewer | OverviewViewer): void {
    if (viewer.signal.aborted) return
    this.#viewers.add(viewer)
    viewer.signal.addEventListener('abort', () => this.#viewers.delete(viewer), { once: true })
    // Its right may have gone between the admission of the request and this moment.
    viewer.recheck(null)
  }

  #onChange(change: Change): void {
    for (const viewer of this.#viewers) if (viewer.concerns(change)) viewer.recheck(change)
  }

  #recheckAll(): void {
    for (const viewer of this.#viewers) viewer.recheck(null)
  }
}

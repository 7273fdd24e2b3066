import { AppError } from '../../contract/errors.ts'
import type { ConsoleLine } from '../../contract/node.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { Access, Caller, ServerAccess } from '../access/index.ts'
import { type Activity, whoOf } from '../activity/index.ts'
import type { ConsoleFeeds, Consoles } from '../console/index.ts'
import type { Change } from '../db/index.ts'
import type { ServerNews, Servers } from '../servers/index.ts'
import type { ConsoleEvents } from './console-events.ts'
import { viewerCommandsMax } from './limits.ts'
import { type CommandChannel, type Event, endings, Viewer } from './viewer.ts'

export interface ServerViewerOptions {
  caller: Caller
  channel: CommandChannel
  server: ServerAccess
  backlog: number
  access: Pick<Access, 'serverAccess' | 'stillValid'>
  servers: Servers
  consoles: Consoles
  feeds: ConsoleFeeds
  consoleEvents: ConsoleEvents
  activity: Pick<Activity, 'record'>
  /** Where the caller is. */
  from: { address: string; userAgent: string | undefined }
  log: Log
}

/** Somebody who watches one server: its status and usage, and its console as long as they hold `console.read`. */
export class ServerViewer extends Viewer {
  readonly #options: ServerViewerOptions
  readonly #id: string
  readonly #commands = new Queue()
  #commandsWaiting = 0
  #unwatch: (() => void) | null = null
  #watchedNode: string | null = null
  #lastSeq = Number.NEGATIVE_INFINITY
  #statusesTold = 0

  constructor(options: ServerViewerOptions) {
    super(options.caller, options.channel, options.access, options.log)
    this.#options = options
    this.#id = options.server.row.id
    options.channel.onMessage(({ command }) => this.#onCommand(command))
    this.signal.addEventListener('abort', () => this.#stopWatching(), { once: true })
    this.#showStatus()
    this.#watchAsAllowed(options.server)
  }

  tell(news: ServerNews): void {
    if (news.serverId !== this.#id) return
    if (news.type === 'status') this.#statusesTold += 1
    this.#queueFor(({ permissions }) =>
      news.type === 'backup' && !permissions.has('backups.read') ? null : eventOf(news),
    )
  }

  /** A changed right to the console takes effect with it. */
  recheck(change: Change | null): void {
    this.queue(async () => {
      const server = await this.access.serverAccess(this.caller, this.#id)
      if (server) this.#watchAsAllowed(server)
      else this.#leave(change)
      return null
    })
    if (change?.of === 'server') this.#showStatus()
  }

  refresh(): void {
    this.recheck(null)
    this.#showStatus()
  }

  protected sees(serverId: string): boolean {
    return serverId === this.#id
  }

  #showStatus(): void {
    const told = this.#statusesTold
    this.#queueFor(async ({ row }) => {
      const { status, message } = await this.#options.servers.status(row)
      // What has happened since waits behind this, and would seem to happen after it.
      if (told !== this.#statusesTold) return null
      return { type: 'status', serverId: this.#publicId, status, message }
    })
  }

  #watchAsAllowed(server: ServerAccess): void {
    if (this.signal.aborted || !server.permissions.has('console.read')) {
      this.#stopWatching()
      return
    }
    // One that has moved says its lines on its new node.
    if (this.#watchedNode !== server.row.node_id) this.#stopWatching()
    this.#watchedNode = server.row.node_id
    this.#unwatch ??= this.#options.feeds.watch(
      { id: this.#id, nodeId: server.row.node_id },
      this.#options.backlog,
      (lines) => this.#showLines(lines),
    )
  }

  #stopWatching(): void {
    this.#unwatch?.()
    this.#unwatch = null
  }

  /** Lines that were seen before the right to them came and went and came back are not shown twice. */
  #showLines(lines: readonly ConsoleLine[]): void {
    const before = this.#lastSeq
    const [first] = lines
    const last = lines.at(-1)
    if (!first || !last || last.seq <= before) return
    this.#lastSeq = last.seq
    const fresh = first.seq > before ? lines : lines.filter((line) => line.seq > before)
    const { event, chars } = this.#options.consoleEvents.of(this.#publicId, fresh)
    this.#queueFor((server) => (server.permissions.has('console.read') ? event : null), chars)
  }

  #onCommand(command: string): void {
    if (this.#commandsWaiting >= viewerCommandsMax) {
      this.#refuse('Too many commands are on their way: wait for the earlier ones.')
      return
    }
    this.#commandsWaiting += 1
    void this.#commands
      .run(() => this.#run(command))
      .catch((error: unknown) => {
        if (error instanceof AppError) return this.#refuse(error.message)
        this.#options.log.error({ err: error, server: this.#id }, 'a console command failed')
        this.#refuse(endings.fault.reason)
      })
      .finally(() => {
        this.#commandsWaiting -= 1
      })
  }

  async #run(command: string): Promise<void> {
    if (this.signal.aborted || !(await this.entitled())) return
    const server = await this.access.serverAccess(this.caller, this.#id)
    if (!server) return this.#leave(null)
    if (!server.permissions.has('console.write')) {
      this.#record(server, 'forbidden')
      return this.#refuse('You may read this console, but not write to it: that needs the permission console.write.')
    }
    try {
      await this.#options.consoles.send(server.row, command)
    } catch (error) {
      this.#record(server, error instanceof AppError ? error.code : 'internal')
      throw error
    }
    this.#record(server, null)
  }

  /** A command over this socket is the same act as one by its operation. */
  #record({ row }: ServerAccess, code: string | null): void {
    const { activity, from } = this.#options
    activity.record({
      who: whoOf(this.caller),
      operation: 'consoleCommand',
      permission: 'console.write',
      subject: null,
      serverId: row.id,
      workspaceId: row.workspace_id,
      address: from.address,
      userAgent: from.userAgent ?? null,
      code,
    })
  }

  #refuse(reason: string): void {
    this.queue(() => ({ type: 'refused', reason }))
  }

  /** Queues an event that is made, and sent, only while the server is the caller's to see. */
  #queueFor(make: (server: ServerAccess) => Event | null | Promise<Event | null>, chars?: number): void {
    this.queue(async () => {
      const server = await this.access.serverAccess(this.caller, this.#id)
      if (server) return make(server)
      this.#leave(null)
      return null
    }, chars)
  }

  #leave(change: Change | null): void {
    this.#stopWatching()
    const deleted = change?.of === 'server'
    if (deleted && !this.signal.aborted) this.#options.channel.send({ type: 'deleted', serverId: this.#publicId })
    this.close(deleted ? endings.deleted : endings.noAccess)
  }

  get #publicId(): string {
    return `servers/${this.#id}`
  }
}

export function eventOf(news: ServerNews): Event {
  const serverId = `servers/${news.serverId}`
  return { ...news, serverId }
}

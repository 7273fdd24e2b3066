import { hash } from 'node:crypto'
import type { AgentEvent } from '../../agent/index.ts'
import { Queue } from '../../lib/queue.ts'
import { Secret } from '../../lib/secret.ts'
import { readAccount } from '../account.ts'
import { CommandError } from '../command.ts'
import { inWords } from '../commands/tunnels/forwarding.ts'
import { wantedOf } from '../commands/tunnels/requests.ts'
import type { BackgroundFolder } from './folder.ts'
import { Journal } from './journal.ts'
import { type KeptTunnel, readKept, writeKept } from './kept.ts'
import type { AccountOf, AgentStatus, AskedTunnel, LocalTunnel, OpenBody } from './messages.ts'
import { Session } from './session.ts'

/** A link is up within a second, over the longest line within ten; who waits is told then, and the tunnel is given up, ms. */
const openTimeoutMs = 30_000

export interface BackgroundOptions {
  folder: BackgroundFolder
  configHome: string
  version: string
  now(): number
  /** Called whenever the last tunnel is gone, and each time when one is there again. */
  onEmpty(empty: boolean): void
}

interface Entry {
  session: Session
  account: AccountOf
  transport: OpenBody['transport']
  asked: AskedTunnel
  state: LocalTunnel['state']
  url: string | null
  message: string | null
  keep: boolean
  since: string
  /** Of who opened it and waits for the first answer. */
  answer: PromiseWithResolvers<void> | null
}

/**
 * The tunnels that a user has in the background, of any number of panels and keys. Those that are to be kept are in a file before they are
 * said to be open, and come back when the agent does; a tunnel that was closed elsewhere is given up, so that two do not take it from each other.
 */
export class BackgroundAgent implements AsyncDisposable {
  readonly journal: Journal
  readonly #options: BackgroundOptions
  readonly #startedAt: string
  readonly #sessions = new Map<string, Session>()
  readonly #entries = new Map<string, Entry>()
  /** Kept ones that have no key at the moment: they stay in the file. */
  #waitingForKey: KeptTunnel[] = []
  readonly #saving = new Queue()

  constructor(options: BackgroundOptions) {
    this.#options = options
    this.journal = new Journal(options.folder.log, options.now)
    this.#startedAt = this.#time()
  }

  /** Opens what was kept. Panels that are away are asked again until they answer. */
  async restore(): Promise<void> {
    const { tunnels, putAside } = await readKept(this.#options.folder.kept)
    if (putAside !== null) this.journal.write(null, `the list of kept tunnels was damaged; it is now ${putAside}`)
    const saved = await readAccount(this.#options.configHome).catch(() => null)
    for (const kept of tunnels) {
      const key = kept.key ?? (saved?.url === kept.panel ? saved.key.reveal() : undefined)
      if (key === undefined) {
        this.#waitingForKey.push(kept)
        this.journal.write(
          kept.tunnel.name,
          `there is no API key for ${kept.panel}: sign in there, then "pharos agent start"`,
        )
        continue
      }
      const entry = this.#entry({
        account: { url: kept.panel, key },
        tunnel: kept.tunnel,
        transport: kept.transport,
        keep: true,
      })
      entry.session.add(wantedOf(kept.tunnel))
      void entry.session.startUntilItWorks()
    }
    this.#tellWhetherEmpty()
  }

  /**
   * Opens a tunnel and resolves once visitors can use it. Rejects with a `CommandError` where it is refused, or does not open in time: then it
   * is not wanted any more. Asked for again as it is, it stays as it is.
   */
  async open(body: OpenBody): Promise<LocalTunnel> {
    const known = this.#entries.get(keyOf(body.account, body.tunnel.name))
    if (known?.state === 'open' && sameAs(known, body)) {
      known.keep = body.keep
      await this.#save()
      return shown(known)
    }
    if (known) this.#drop(known)
    const entry = this.#entry(body)
    const answer = Promise.withResolvers<void>()
    entry.answer = answer
    const late = setTimeout(
      () =>
        answer.reject(
          new CommandError(
            `${entry.asked.name}: no edge answered within ${openTimeoutMs / 1000} s. "pharos check" says what is in the way.`,
          ),
        ),
      openTimeoutMs,
    )
    try {
      entry.session.add(wantedOf(body.tunnel))
      await Promise.all([entry.session.start(), answer.promise])
      entry.answer = null
      await this.#save()
      return shown(entry)
    } catch (error) {
      this.#drop(entry)
      throw error
    } finally {
      clearTimeout(late)
      entry.answer = null
    }
  }

  /** Closes these tunnels of an account here; their names and ports stay the workspace's. Unknown ones are ignored. */
  async close(account: AccountOf, name: string | null): Promise<string[]> {
    const there = [...this.#entries.values()].filter(({ asked }) => name === null || asked.name === name)
    const mine = there.filter((entry) => accountOf(entry.account) === accountOf(account))
    // Opened with another key of the same person: by name it is meant all the same.
    const entries =
      mine.length > 0 ? mine : name === null ? [] : there.filter(({ account: { url } }) => url === account.url)
    for (const entry of entries) {
      this.journal.write(entry.asked.name, 'closed, as asked')
      this.#drop(entry)
    }
    this.#waitingForKey = this.#waitingForKey.filter(
      ({ panel, tunnel }) => panel !== account.url || (name !== null && tunnel.name !== name),
    )
    await this.#save()
    return entries.map(({ asked }) => asked.name)
  }

  status(): AgentStatus {
    return {
      version: this.#options.version,
      pid: process.pid,
      startedAt: this.#startedAt,
      links: [...this.#sessions.values()].flatMap(({ panel, links }) =>
        [...links].map(([edge, up]) => ({ panel, edge, up })),
      ),
      tunnels: [...this.#entries.values()].map(shown),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()))
    await this.#saving.idle()
  }

  #entry({ account, tunnel, transport, keep }: OpenBody): Entry {
    const entry: Entry = {
      session: this.#sessionOf(account, transport),
      ...{ account, transport, asked: tunnel, keep },
      ...{ state: 'opening', url: null, message: null, since: this.#time(), answer: null },
    }
    this.#entries.set(keyOf(account, tunnel.name), entry)
    this.#options.onEmpty(false)
    return entry
  }

  #sessionOf(account: AccountOf, transport: OpenBody['transport']): Session {
    const id = `${accountOf(account)} ${transport}`
    const known = this.#sessions.get(id)
    if (known) return known
    const session: Session = new Session({
      panel: account.url,
      key: new Secret(account.key),
      transport,
      now: this.#options.now,
      note: (tunnel, text) => this.journal.write(tunnel, text),
      onEvent: (event) => this.#onEvent(session, event),
    })
    this.#sessions.set(id, session)
    return session
  }

  #onEvent(session: Session, event: AgentEvent): void {
    const own = [...this.#entries.values()].filter((entry) => entry.session === session)
    if (event.type === 'up' || event.type === 'unreachable') return
    if (event.type === 'down') {
      if ([...session.links.values()].includes(true)) return
      for (const entry of own) {
        // A key that was good a moment ago may be so again.
        if (event.code === 'unauthorized') entry.answer?.reject(new CommandError(inWords(event)))
        this.#change(entry, 'waiting', inWords(event))
      }
      return
    }
    const entry = own.find(({ asked }) => asked.name === event.id)
    // It was given up meanwhile.
    if (!entry) return
    switch (event.type) {
      case 'opened':
        entry.url = event.url
        this.#change(entry, 'open', null)
        entry.answer?.resolve()
        break
      case 'refused':
        if (entry.answer) entry.answer.reject(new CommandError(`${event.id}: ${event.message}`))
        else if (event.retryMs === null) this.#giveUp(entry)
        else this.#change(entry, 'waiting', event.message)
        break
      case 'closed':
        if (entry.answer) entry.answer.reject(new CommandError(inWords(event)))
        else this.#giveUp(entry)
        break
    }
  }

  #change(entry: Entry, state: Entry['state'], message: string | null): void {
    if (entry.state !== state) entry.since = this.#time()
    entry.state = state
    entry.message = message
  }

  #giveUp(entry: Entry): void {
    this.#drop(entry)
    void this.#save()
  }

  /** May be repeated; another tunnel that has taken the name meanwhile stays. */
  #drop(entry: Entry): void {
    const key = keyOf(entry.account, entry.asked.name)
    if (this.#entries.get(key) !== entry) return
    this.#entries.delete(key)
    entry.session.remove(entry.asked.name)
    entry.answer?.reject(new CommandError(`${entry.asked.name} was closed, or asked for anew, before it was open.`))
    if (![...this.#entries.values()].some(({ session }) => session === entry.session)) {
      for (const [id, session] of this.#sessions) if (session === entry.session) this.#sessions.delete(id)
      void entry.session[Symbol.asyncDispose]()
    }
    this.#tellWhetherEmpty()
  }

  #tellWhetherEmpty(): void {
    this.#options.onEmpty(this.#entries.size === 0)
  }

  /** Writes down what is to come back, as it is by the time when it is written. */
  #save(): Promise<void> {
    return this.#saving.run(async () => {
      const saved = await readAccount(this.#options.configHome).catch(() => null)
      const kept = [...this.#entries.values()].filter(({ keep, answer }) => keep && answer === null)
      await writeKept(this.#options.folder.kept, [
        ...this.#waitingForKey,
        ...kept.map(({ account: { url, key }, transport, asked }) => ({
          panel: url,
          ...(!(saved?.url === url && saved.key.reveal() === key) && { key }),
          transport,
          tunnel: asked,
        })),
      ])
    })
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString()
  }
}

/** Keys are compared by their hash, so that none is a key of a map. */
const accountOf = ({ url, key }: AccountOf): string => hash('sha256', `${url}\n${key}`)
const keyOf = (account: AccountOf, name: string): string => `${accountOf(account)} ${name}`

const sameAs = ({ asked, transport }: Entry, body: OpenBody): boolean =>
  transport === body.transport && JSON.stringify(asked) === JSON.stringify(body.tunnel)

const shown = ({ session, asked, account, state, url, message, keep, since }: Entry): LocalTunnel => ({
  name: asked.name,
  kind: asked.kind,
  panel: account.url,
  workspace: session.workspace,
  url,
  local: `${asked.host}:${asked.port}`,
  ...{ state, message, keep, since },
})

import { AppError, conflict } from '../../contract/errors.ts'
import type { ServerSpec, ServerState } from '../../contract/node.ts'
import type { DatabaseSum } from '../../contract/node-databases.ts'
import { consoleLinesMax, nodeTransferContents, type TreeSum } from '../../contract/node-transfers.ts'
import type { TransferStage } from '../../contract/transfer-stages.ts'
import { linkDownload, linkUpload } from '../../http/index.ts'
import type { MovableDatabase } from '../databases/index.ts'
import type { TransferRow } from '../db/index.ts'
import { allocationsOf } from '../network/index.ts'
import { answerOf, isRefusal, type LiveNode, nodeById, plainWords } from '../nodes/index.ts'
import { handServerOver, holdServer, releaseServer, type ServerDetail, specOf } from '../servers/index.ts'
import { keptTemplate } from '../templates/index.ts'
import {
  againMs,
  askEveryMs,
  attemptsMax,
  awayMaxMs,
  inUseMaxMs,
  messageCharsMax,
  nodeWorkMaxMs,
  progressMs,
  stopMaxMs,
} from './limits.ts'
import { moveAllocations, offeredPorts } from './ports.ts'
import { after, holds, isEnd, type Outcome } from './stages.ts'
import { endTransfer, saveProgress, transferById } from './store.ts'
import type { TransfersWorld } from './world.ts'

/** Nothing that a repetition would help against. */
class GiveUp extends Error {}

/** Somebody has cancelled it. */
export class Cancelled extends Error {}

/** Another panel works on it, or this one ends: it stays as it is. */
export class LetGo extends Error {}

/** A database that has arrived: what is in it there, and where games reach it. */
type Arrived = { database: MovableDatabase; sum: DatabaseSum; host: string; port: number }

type Running = { source: LiveNode; target: LiveNode; server: ServerDetail }

/**
 * Carries one transfer to its end, from whatever stage it is in. Every step may be repeated, by this panel or another one: the nodes are
 * asked for what they have, and what they have forgotten is done again.
 */
export class Carrier {
  readonly #world: TransfersWorld
  readonly #signal: AbortSignal
  #row: TransferRow
  /** Null unless they arrived while this carrier was at it. */
  #databases: Arrived[] | null = null
  /** How long nodes have been waited for in all, in ms. */
  #awayMs = 0
  #told = 0

  /** @param signal aborts with `Cancelled` or `LetGo`. */
  constructor(world: TransfersWorld, row: TransferRow, signal: AbortSignal) {
    this.#world = world
    this.#row = row
    this.#signal = signal
  }

  /** Never rejects. Resolves once it has ended, or is no longer ours. */
  async run(): Promise<void> {
    const { log } = this.#world
    try {
      if (this.#row.cancel === 1) await this.#end('cancel', 'It was cancelled.')
      else while (!isEnd(this.#row.stage)) await this.#step()
    } catch (error) {
      if (error instanceof LetGo) return
      log.error({ err: error, transfer: this.#row.id }, 'a transfer could not be carried on; it is tried again')
    }
  }

  async #step(): Promise<void> {
    const { clock, log } = this.#world
    try {
      this.#signal.throwIfAborted()
      const running = await this.#both()
      const outcome = await unlessAborted(this.#perform(running), this.#signal)
      if (outcome === 'done' || outcome === 'again') await this.#enter(after(this.#row.stage, outcome))
    } catch (error) {
      if (error instanceof LetGo) throw error
      if (error instanceof Cancelled || this.#signal.reason instanceof Cancelled)
        return this.#end('cancel', 'It was cancelled.')
      this.#signal.throwIfAborted()
      const words = wordsOf(error)
      if (error instanceof GiveUp || this.#row.attempts >= attemptsMax) return this.#end('give up', words)
      log.info({ err: error, transfer: this.#row.id, stage: this.#row.stage }, 'a step of a transfer failed')
      const next = after(this.#row.stage, 'again')
      await this.#enter(next, `${words} Trying again.`)
      if (next !== 'copying') await this.#save({ attempts: this.#row.attempts + 1 })
      await clock.sleep(againMs, this.#signal).catch(() => undefined)
    }
  }

  /** What the stage asks for. `done` by itself ends at `switching`, whose transaction has ended the transfer already. */
  async #perform(running: Running): Promise<Outcome | 'ended'> {
    switch (this.#row.stage) {
      case 'waiting':
        await this.#begin(running)
        return 'ended'
      case 'stopping':
        await this.#stop(running)
        return 'done'
      case 'copying':
        await this.#copy(running)
        return 'done'
      case 'verifying':
        return this.#verify(running)
      case 'databases':
        await this.#bringDatabases(running)
        return 'done'
      case 'switching':
        return this.#switch(running)
      case 'done':
      case 'failed':
      case 'cancelled':
        return 'ended'
    }
  }

  /** Both nodes and the server, waiting for nodes that are away. */
  async #both(): Promise<Running> {
    const { nodes, servers, clock } = this.#world
    for (;;) {
      const server = await servers.detail(this.#row.server_id)
      if (!server) throw new GiveUp('The server has been deleted.')
      const source = nodes.online(this.#row.from_node)
      const target = nodes.online(this.#row.to_node)
      if (source && target) return { source, target, server }
      const names = [source ? [] : [this.#row.from_node], target ? [] : [this.#row.to_node]].flat()
      const away = (await Promise.all(names.map((id) => nodeById(this.#world.db.kysely, id)))).map(
        (node, index) => node?.name ?? names[index],
      )
      if (this.#awayMs >= awayMaxMs)
        throw new GiveUp(`Node ${away.join(' and ')} was away for too long: the server stays where it was.`)
      await this.#enter(this.#row.stage, `Waiting for node ${away.join(' and ')}, which is away.`)
      const began = clock.now()
      await clock.sleep(againMs, this.#signal).catch(() => undefined)
      this.#signal.throwIfAborted()
      this.#awayMs += clock.now() - began
    }
  }

  async #begin({ server, source, target }: Running): Promise<void> {
    const { db, servers, obstacles, databases, client } = this.#world
    for (const obstacle of obstacles) {
      const why = await obstacle(server)
      if (why !== null) throw new GiveUp(why)
    }
    const phase = servers.world.states.of(source.id, server.id)?.phase
    if (phase === undefined || notMovable.has(phase)) throw new GiveUp(notMovableWords(server.name, phase))
    // Nobody stops a server to find out then that its databases cannot be there.
    if ((await databases.of(server.id, source.id)).length > 0)
      await answerOf(target.name, client(target).readyDatabases({ params: this.#params }))
    const start = this.#row.start === 2 ? (phase === 'offline' ? 0 : 1) : this.#row.start
    await db.transact(async (trx) => {
      if (!(await holdServer(trx, server.id, this.#row.from_node, this.#row.id)))
        throw new GiveUp('The server is not on that node any more.')
      const busy = await databases.obstacle(server, trx)
      if (busy !== null) throw new GiveUp(busy)
      if (!(await saveProgress(trx, this.#key, { stage: 'stopping', message: null, start }))) throw new LetGo()
    })
    this.#row = { ...this.#row, start, stage: 'stopping', message: null }
    await this.#world.changes.publish({ of: 'server', id: server.id })
    await this.#tell(true)
  }

  /** Has the source hold it, which stops it, and waits for its end. */
  async #stop({ server, source }: Running): Promise<void> {
    const { servers, clock } = this.#world
    const end = clock.now() + stopMaxMs
    for (;;) {
      await servers.push(server.id)
      const state = await answerOf(source.name, source.client.server({ params: { server: server.id } }))
      servers.world.states.offer(source, state, server.suspended_at !== null)
      if (state.phase === 'offline') return
      if (notMovable.has(state.phase)) throw new GiveUp(notMovableWords(server.name, state.phase))
      if (clock.now() > end) throw new GiveUp(`${server.name} did not stop: kill it, then try again.`)
      await this.#pause()
    }
  }

  async #copy({ server, source, target }: Running): Promise<void> {
    const { client } = this.#world
    await this.#save({ attempts: this.#row.attempts + 1, bytes_done: 0, bytes_total: 0 })
    const params = this.#params
    const [from, to] = [client(source), client(target)]
    await this.#mustHaveRoom(server, source, target)
    await answerOf(target.name, to.prepareArrival({ params, body: await this.#arrivingSpec(server) })).catch(
      (error: unknown) => {
        throw isRefusal(error) ? new GiveUp(error.message) : error
      },
    )
    await this.#until(async () => {
      const { state, message } = await answerOf(target.name, to.arrival({ params }))
      if (state === 'failed') throw new GiveUp(`Node ${target.name}: ${plainWords(message ?? 'it failed')}`)
      return state === 'waiting'
    })
    const over = new AbortController()
    const signal = AbortSignal.any([this.#signal, over.signal, source.signal, target.signal])
    const watching = this.#watch(source, signal)
    try {
      const content = await answerOf(
        source.name,
        linkDownload(source.link, nodeTransferContents.departureContent, { params }, { signal }),
      )
      await answerOf(
        target.name,
        linkUpload(
          target.link,
          nodeTransferContents.arrivalContent,
          { params },
          {
            ...{ signal, content: content.content },
            headers: { 'content-type': 'application/octet-stream' },
          },
        ),
      )
    } catch (error) {
      this.#signal.throwIfAborted()
      // Which of the two broke, the one that says why knows.
      const left = await from.departure({ params }).catch(() => null)
      if (left?.state === 'failed' && left.message) throw conflict(`Node ${source.name}: ${plainWords(left.message)}`)
      throw error
    } finally {
      over.abort()
      await watching
    }
    const { state, message, bytesDone, bytesTotal } = await answerOf(source.name, from.departure({ params }))
    if (state !== 'sent') throw conflict(message ? plainWords(message) : `Node ${source.name} has not sent everything.`)
    await this.#save({ bytes_done: bytesDone, bytes_total: bytesTotal })
  }

  async #verify({ server, source, target }: Running): Promise<Outcome> {
    const { client } = this.#world
    const params = this.#params
    let arrived: TreeSum | null = null
    await this.#until(async () => {
      const { state, tree, message } = await answerOf(target.name, client(target).arrival({ params }))
      if (state === 'failed') throw conflict(`Node ${target.name}: ${plainWords(message ?? 'it failed')}`)
      if (state !== 'checking' && state !== 'ready') throw conflict(`Node ${target.name} has begun anew.`)
      arrived = tree
      return state === 'ready'
    })
    const { state, tree } = await answerOf(source.name, client(source).departure({ params }))
    if (state !== 'sent' || !tree) throw conflict(`Node ${source.name} does not know any more what it sent.`)
    if (!sameTree(tree, arrived)) throw conflict('What arrived is not what was sent.')
    const { unchanged } = await answerOf(source.name, client(source).departureUnchanged({ params }))
    if (!unchanged) throw conflict('Its files changed while they were copied.')
    await this.#adopt({ server, source, target })
    return 'done'
  }

  /** Makes it one of the target's servers, held as it is at the source. */
  async #adopt({ server, source, target }: Running): Promise<ServerState> {
    const lines = await answerOf(
      source.name,
      source.client.console({ params: { server: server.id }, query: { size: consoleLinesMax } }),
    )
    const body = { console: lines.map(({ text }) => text), consoleSeq: lines[0]?.seq ?? 0 }
    const params = this.#params
    const state = await answerOf(target.name, this.#world.client(target).adoptArrival({ params, body }))
    if (state.id !== server.id) throw new GiveUp(`Node ${target.name} answered for another server.`)
    return state
  }

  /** Brings the databases that the source keeps into new ones of the target, which reads them again. */
  async #bringDatabases({ server, source, target }: Running): Promise<void> {
    const { databases } = this.#world
    const there = await databases.of(server.id, source.id)
    this.#databases = []
    if (there.length === 0) return
    await this.#untilUnused({ server, source })
    const bytesBefore = this.#row.bytes_done
    const bytesTotal = bytesBefore + (await databases.bytesOf(there, source))
    for (const [at, database] of there.entries()) {
      await this.#enter('databases', `Database ${database.name} is copied, ${at + 1} of ${there.length}.`)
      const arrived = await this.#bringDatabase(database, { source, target }, (bytes) => {
        const done = this.#row.bytes_done + bytes
        this.#row = { ...this.#row, bytes_done: done, bytes_total: Math.max(done, bytesTotal) }
        return this.#tell(false)
      })
      this.#databases.push(arrived)
    }
    await this.#save({ bytes_done: bytesBefore, bytes_total: bytesBefore, message: null })
  }

  /** Another server of the same people may use a database of this one; it would lose it, and what it writes now would be lost. */
  async #untilUnused({ server, source }: Pick<Running, 'server' | 'source'>): Promise<void> {
    const { client, clock } = this.#world
    const end = clock.now() + inUseMaxMs
    const words = inUseWords(source.name, server.name)
    for (;;) {
      const { connections } = await answerOf(source.name, client(source).departureConnections({ params: this.#params }))
      if (connections === 0) return
      if (clock.now() > end) throw new GiveUp(words)
      await this.#enter('databases', words)
      await this.#pause()
    }
  }

  async #bringDatabase(
    database: MovableDatabase,
    { source, target }: Pick<Running, 'source' | 'target'>,
    passed: (bytes: number) => Promise<void>,
  ): Promise<Arrived> {
    const { client, patientClient } = this.#world
    const params = { ...this.#params, database: database.database }
    const { user, remote, password } = database
    const body = { user, remote, password: password.reveal() }
    const address = await answerOf(target.name, client(target).prepareDatabase({ params, body }))
    const over = new AbortController()
    const signal = AbortSignal.any([this.#signal, over.signal, source.signal, target.signal])
    try {
      const { content } = await answerOf(
        source.name,
        linkDownload(source.link, nodeTransferContents.databaseContent, { params }, { signal }),
      )
      await answerOf(
        target.name,
        linkUpload(
          target.link,
          nodeTransferContents.arrivingDatabaseContent,
          { params },
          { signal, content: counted(content, passed), headers: { 'content-type': 'application/octet-stream' } },
        ),
      )
    } finally {
      over.abort()
    }
    const { sum } = await answerOf(target.name, patientClient(target).arrivedDatabase({ params }))
    return { database, sum, ...address }
  }

  /** Nothing may have changed at the source since it was copied, and nobody may be about to. */
  async #compareDatabases(arrived: readonly Arrived[], { server, source }: Running): Promise<void> {
    for (const { database, sum } of arrived) {
      const params = { ...this.#params, database: database.database }
      const there = await answerOf(source.name, this.#world.patientClient(source).departingDatabase({ params }))
      if (there.connections > 0) throw conflict(inUseWords(source.name, server.name))
      if (!sameDatabase(there.sum, sum))
        throw conflict(`What arrived of database ${database.name} is not what is on node ${source.name} now.`)
    }
  }

  async #switch({ server, source, target }: Running): Promise<Outcome | 'ended'> {
    const { db, servers, tunnels, changes, clock, databases } = this.#world
    const { kysely } = db
    const arrived = this.#databases ?? []
    if (arrived.length !== (await databases.of(server.id, source.id)).length) return 'again'
    const state = await this.#adopt({ server, source, target })
    await this.#compareDatabases(arrived, { server, source, target })
    const { protocols } = await keptTemplate(kysely, server.template_hash)
    const row = await nodeById(kysely, target.id)
    if (!row) throw new GiveUp('The target node has been removed.')
    const offered = await offeredPorts(kysely, server, row, target, protocols)
    const moved = await db.transact(async (trx) => {
      const end = { stage: 'done' as const, message: null, now: clock.now() }
      if (!(await endTransfer(trx, this.#key, end))) return null
      const nodeId = target.id
      if (!(await handServerOver(trx, server.id, this.#row.id, { nodeId, start: this.#row.start === 1 })))
        throw new GiveUp('The server is not held by this transfer any more.')
      for (const { database, host, port } of arrived)
        if (!(await databases.moved(trx, database, source.id, { nodeId, host, port })))
          throw conflict(`Database ${database.name} is not what it was when it was copied.`)
      return moveAllocations(trx, server, row, offered, tunnels)
    })
    if (moved === null) {
      const now = await transferById(kysely, this.#row.id)
      throw now?.cancel === 1 ? new Cancelled() : new LetGo()
    }
    this.#row = { ...this.#row, stage: 'done', message: null }
    servers.world.states.move(source.id, server.id, null)
    servers.world.states.forget(source.id, server.id)
    servers.world.states.report(target, state, server.suspended_at !== null)
    await changes.publish({ of: 'server', id: server.id })
    for (const id of moved) await changes.publish({ of: 'tunnel', id })
    await this.#tell(true)
    this.#world.log.info(
      { server: server.id, from: source.name, to: target.name, databases: arrived.length },
      'a server has moved to another node',
    )
    return 'ended'
  }

  /** The way back, the same from everywhere: the source lets it go on. What the target has is cleared away afterwards. */
  async #end(outcome: 'cancel' | 'give up', message: string): Promise<void> {
    const { db, servers, changes, clock, log } = this.#world
    const stage = after(this.#row.stage, outcome)
    const { server_id: id, from_node: from } = this.#row
    const ended = await db.transact(async (trx) => {
      const end = { stage, message: message.slice(0, messageCharsMax), now: clock.now() }
      if (!(await endTransfer(trx, this.#key, end))) return false
      await releaseServer(trx, id, this.#row.id, { start: holds(this.#row.stage) && this.#row.start === 1 })
      return true
    })
    if (!ended) throw new LetGo()
    this.#row = { ...this.#row, stage, message }
    servers.world.states.move(from, id, null)
    await changes.publish({ of: 'server', id })
    await this.#tell(true)
    log.info({ server: id, transfer: this.#row.id, message }, 'a server stays on its node: its move has ended')
  }

  async #mustHaveRoom(server: ServerDetail, source: LiveNode, target: LiveNode): Promise<void> {
    const used = this.#world.servers.world.states.of(source.id, server.id)?.usage?.diskBytes ?? 0
    const { diskFreeBytes } = await answerOf(target.name, target.client.facts({}))
    if (used > diskFreeBytes)
      throw new GiveUp(
        `Node ${target.name} has ${inMib(diskFreeBytes)} MiB of disk free, and the files of ${server.name} take ${inMib(used)} MiB: free some space there, or choose another node.`,
      )
  }

  /** Until it changes hands its ports are the source's: no tunnel may lead to the target. */
  async #arrivingSpec(server: ServerDetail): Promise<ServerSpec> {
    const { kysely } = this.#world.db
    const template = await keptTemplate(kysely, server.template_hash)
    const spec = specOf(server, template, await allocationsOf(kysely, [server.id]), server.public_address)
    return { ...spec, allocations: spec.allocations.map((one) => ({ ...one, tunnel: false })) }
  }

  /** Tells how far the source is until the signal aborts. Never rejects. */
  async #watch(source: LiveNode, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#world
    while (!signal.aborted) {
      await clock.sleep(askEveryMs, signal).catch(() => undefined)
      if (signal.aborted) return
      const seen = await client(source)
        .departure({ params: this.#params })
        .catch(() => null)
      if (!seen || signal.aborted) continue
      this.#row = { ...this.#row, bytes_done: seen.bytesDone, bytes_total: seen.bytesTotal }
      await this.#tell(false).catch(() => undefined)
    }
  }

  async #until(look: () => Promise<boolean>): Promise<void> {
    const end = this.#world.clock.now() + nodeWorkMaxMs
    while (!(await look())) {
      if (this.#world.clock.now() > end) throw new GiveUp('It took longer than a transfer may.')
      await this.#pause()
    }
  }

  async #pause(): Promise<void> {
    await this.#world.clock.sleep(askEveryMs, this.#signal).catch(() => undefined)
    this.#signal.throwIfAborted()
  }

  async #enter(stage: TransferStage, message: string | null = null): Promise<void> {
    const words = message?.slice(0, messageCharsMax) ?? null
    if (stage === this.#row.stage && words === this.#row.message) return
    await this.#save({ stage, message: words })
    await this.#tell(true)
  }

  async #save(change: Parameters<typeof saveProgress>[2]): Promise<void> {
    if (!(await saveProgress(this.#world.db.kysely, this.#key, change))) throw new LetGo()
    this.#row = { ...this.#row, ...change }
  }

  /** Tells viewers of this panel, and writes progress down for those of others now and then. */
  async #tell(always: boolean): Promise<void> {
    const { servers, clock, db } = this.#world
    if (!always && clock.now() - this.#told < progressMs) return
    this.#told = clock.now()
    const { id, server_id: serverId, stage, message, bytes_done: bytesDone, bytes_total: bytesTotal } = this.#row
    if (!always) await saveProgress(db.kysely, this.#key, { bytes_done: bytesDone, bytes_total: bytesTotal })
    const percent = percentOf(this.#row)
    servers.news.emit({ type: 'transfer', serverId, transferId: id, stage, percent, bytesDone, bytesTotal, message })
    if (holds(stage)) servers.world.states.move(this.#row.from_node, serverId, movingWords(this.#row))
  }

  get #key() {
    return { id: this.#row.id, panel: this.#world.panel }
  }

  get #params() {
    return { transfer: this.#row.id, server: this.#row.server_id }
  }
}

/**
 * What `work` becomes, or the signal's reason at once: a node that stands still must not hold up whoever cancels. What such work still does
 * changes nothing, since the transfer has ended in the database before anybody acts on that.
 */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined)
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Of its files, then of its files and databases, that have been copied. */
export function percentOf({ stage, bytes_done, bytes_total }: TransferRow): number {
  if (stage === 'verifying' || stage === 'switching' || stage === 'done') return 100
  if (stage === 'databases' && bytes_total === 0) return 100
  if ((stage !== 'copying' && stage !== 'databases') || bytes_total === 0) return 0
  return Math.min(99, Math.floor((bytes_done * 100) / bytes_total))
}

function movingWords(row: TransferRow): string {
  const words: Partial<Record<TransferStage, string>> = {
    stopping: 'It is stopped to be moved to another node.',
    copying: `It is being moved to another node: ${percentOf(row)} % of its files are copied.`,
    verifying: 'It is being moved to another node: what arrived is compared.',
    databases: 'It is being moved to another node, now its databases.',
    switching: 'It is being moved to another node: nearly done.',
  }
  return [words[row.stage], row.message].filter(Boolean).join(' ')
}

const notMovable: ReadonlySet<string> = new Set(['installing', 'install_failed', 'restoring'])

const notMovableWords = (name: string, phase: string | undefined): string =>
  phase === undefined
    ? `The node has not said yet what ${name} does: try again in a moment.`
    : phase === 'install_failed'
      ? `The installation of ${name} failed: reinstall it before you move it.`
      : `${name} is ${phase === 'restoring' ? 'being restored' : 'being installed'}: move it when that has finished.`

const sameTree = (sent: TreeSum, arrived: TreeSum | null): boolean =>
  arrived !== null && sent.digest === arrived.digest && sent.entries === arrived.entries && sent.bytes === arrived.bytes

const inUseWords = (node: string, server: string): string =>
  `Something else on node ${node} is using the databases of ${server}, and would lose them: stop that first.`

const sameDatabase = (sent: DatabaseSum, arrived: DatabaseSum): boolean =>
  sent.digest === arrived.digest && sent.objects === arrived.objects && sent.rows === arrived.rows

/** Bytes as they pass, with how many of them there are. */
async function* counted(
  content: AsyncIterable<Uint8Array>,
  passed: (bytes: number) => Promise<void>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of content) {
    await passed(piece.length)
    yield piece
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof AppError || error instanceof GiveUp
    ? error.message
    : 'Something went wrong; the panel’s log says what.'

const inMib = (bytes: number): number => Math.ceil(bytes / 1_048_576)

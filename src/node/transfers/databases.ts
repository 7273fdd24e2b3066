import { pipeline, Readable } from 'node:stream'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { DatabaseAddress, DatabaseSum } from '../../contract/node-databases.ts'
import type { Log } from '../../lib/log.ts'
import type { Queue } from '../../lib/queue.ts'
import type { Secret } from '../../lib/secret.ts'
import { CopyItem, DatabaseSummer, type GameDatabase } from '../../mysql/index.ts'
import { compressor } from '../backups/codec.ts'
import type { Databases } from '../databases/index.ts'
import { decompressed } from '../extraction/index.ts'
import type { Server } from '../supervisor/server.ts'
import type { Servers } from '../supervisor/servers.ts'

/** One statement of a database that arrives, in characters: a row as large as MariaDB takes one, in hexadecimal digits. */
const lineCharsMax = 64 * 1024 * 1024

export interface MovingDatabasesOptions {
  servers: Servers
  databases: Databases
  /** Adopting servers and throwing them away come in turns: no database is made for one that is going. */
  turns: Queue
  log: Log
}

interface Coming {
  transfer: string
  what: GameDatabase
  password: Secret
  /** Something arrives for it, or has. */
  taken: boolean
  readonly stopping: AbortController
}

/**
 * The databases of servers that change nodes. On the target there are some only where there is the server that they belong to,
 * held by the transfer: whoever throws that away throws them away before, whatever was killed in between.
 */
export class MovingDatabases {
  readonly #options: MovingDatabasesOptions
  /** By their names. */
  readonly #coming = new Map<string, Coming>()

  constructor(options: MovingDatabasesOptions) {
    this.#options = options
  }

  ready(): Promise<void> {
    return this.#options.databases.ready()
  }

  /** What one holds that leaves, and how many connections of the server's accounts there are although it is stopped. */
  async departing(transfer: string, id: string, database: string): Promise<{ sum: DatabaseSum; connections: number }> {
    this.#mustLeave(transfer, id, database)
    return { sum: await this.#sumOf(database), connections: await this.#options.databases.connections(id) }
  }

  /** The connections alone. */
  async connections(transfer: string, id: string): Promise<number> {
    this.#mustLeave(transfer, id, prefixOf(id))
    return this.#options.databases.connections(id)
  }

  /** All of it, a line for each statement. */
  content(transfer: string, id: string, database: string): Readable {
    this.#mustLeave(transfer, id, database)
    const compressed = compressor('zstd')
    pipeline(Readable.from(this.#lines(database), { objectMode: false }), compressed, (error) => {
      if (error && !(error instanceof AppError))
        this.#options.log.warn({ err: error, database, transfer }, 'reading a database for its transfer broke off')
    })
    return compressed
  }

  /** Makes an empty one for a server that has been adopted. */
  prepare(transfer: string, id: string, what: GameDatabase, password: Secret): Promise<DatabaseAddress> {
    return this.#options.turns.run(async () => {
      this.#held(transfer, id, what.database)
      this.#end(what.database)
      await this.#options.databases.drop(what)
      const address = await this.#options.databases.create(what, password)
      this.#coming.set(what.database, { transfer, what, password, taken: false, stopping: new AbortController() })
      return address
    })
  }

  /** Resolves once everything is in it. */
  async receive(transfer: string, id: string, database: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.#held(transfer, id, database)
    const coming = this.#coming.get(database)
    if (coming?.transfer !== transfer || coming.taken) throw conflict('This database is not waited for')
    coming.taken = true
    const { what, password, stopping } = coming
    await this.#options.databases.write(what, password, itemsOf(content), stopping.signal)
  }

  /** What has arrived, read again. */
  async arrived(transfer: string, id: string, database: string): Promise<DatabaseSum> {
    this.#held(transfer, id, database)
    return this.#sumOf(database)
  }

  /** Removes all databases of a server that goes. For whoever has the turn. */
  async discard(id: string): Promise<void> {
    for (const database of [...this.#coming.keys()]) if (belongs(database, id)) this.#end(database)
    await this.#options.databases.dropAllOf(id)
  }

  #end(database: string): void {
    this.#coming.get(database)?.stopping.abort(conflict('The transfer was ended'))
    this.#coming.delete(database)
  }

  #mustLeave(transfer: string, id: string, database: string): void {
    const server = this.#held(transfer, id, database)
    if (!server.settled) throw conflict(`Server ${server.spec.name} is not stopped`)
  }

  #held(transfer: string, id: string, database: string): Server {
    const server = this.#options.servers.get(id)
    if (!belongs(database, id)) throw notFound(`Database ${database} of server ${id}`)
    if (server.spec.held?.transfer !== transfer)
      throw conflict(`Server ${server.spec.name} is not held for this transfer`)
    return server
  }

  async #sumOf(database: string): Promise<DatabaseSum> {
    const summer = new DatabaseSummer()
    for await (const _ of this.#options.databases.read(database, summer));
    return summer.end()
  }

  async *#lines(database: string): AsyncGenerator<string, void, void> {
    for await (const item of this.#options.databases.read(database, new DatabaseSummer()))
      yield `${JSON.stringify(item)}\n`
  }
}

/** What the names of a server's databases begin with. */
const prefixOf = (server: string): string => `s${server}_`

const belongs = (database: string, server: string): boolean => database.startsWith(prefixOf(server))

/** What another node sent: it may be anything. */
async function* itemsOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<CopyItem, void, void> {
  let parts: string[] = []
  let chars = 0
  const read = (): CopyItem => {
    try {
      return CopyItem.parse(JSON.parse(parts.join('')))
    } catch (cause) {
      throw new AppError('conflict', 'What arrives of the database cannot be read', { cause })
    } finally {
      parts = []
      chars = 0
    }
  }
  for await (const text of decompressed(Readable.from(content), 'zst').setEncoding('utf8') as AsyncIterable<string>) {
    let at = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      parts.push(text.slice(at, end))
      at = end + 1
      yield read()
    }
    const rest = text.slice(at)
    chars += rest.length
    if (chars > lineCharsMax) throw conflict('A row of the database is too large to be moved')
    parts.push(rest)
  }
  if (chars > 0) throw conflict('Only a part of the database arrived.')
}

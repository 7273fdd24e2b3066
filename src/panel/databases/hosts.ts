import { conflict, notFound } from '../../contract/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Sealer } from '../../lib/seal.ts'
import { Secret } from '../../lib/secret.ts'
import { type Database, type DatabaseHostRow, isUniqueViolation } from '../db/index.ts'
import { hostPurpose, hostServer } from './places.ts'
import { type HostWithCount, hostById, insertHost, listHosts, removeHost, updateHost } from './store.ts'

export interface HostsOptions {
  db: Database
  clock: Clock
  sealer: Sealer
}

export interface HostInput {
  name: string
  host: string
  port: number
  username: string
  password: string
  tls: boolean
  capacity: number | null
}

/** The MariaDB and MySQL servers that the people who run the installation have registered. */
export class DatabaseHosts {
  readonly #options: HostsOptions

  constructor(options: HostsOptions) {
    this.#options = options
  }

  all(): Promise<HostWithCount[]> {
    return listHosts(this.#options.db.kysely)
  }

  /** Tries it out, then keeps it. Throws `conflict` with what is wrong. */
  async create(input: HostInput): Promise<HostWithCount> {
    const { db, clock, sealer } = this.#options
    const id = newId('dbh')
    const password = new Secret(input.password)
    const fields = fieldsOf(input)
    await hostServer(fields, password).check()
    const row = {
      ...fields,
      id,
      capacity: input.capacity,
      password: sealer.seal(password, hostPurpose(id)),
      created_at: clock.now(),
    }
    await unique(row, () => insertHost(db.kysely, row))
    return { ...row, databases: 0 }
  }

  async update(id: string, change: { [K in keyof HostInput]?: HostInput[K] | undefined }): Promise<HostWithCount> {
    const { db, sealer } = this.#options
    const row = await this.#need(id)
    const password = change.password === undefined ? this.#passwordOf(row) : new Secret(change.password)
    const fields = {
      name: change.name ?? row.name,
      host: change.host ?? row.host,
      port: change.port ?? row.port,
      username: change.username ?? row.username,
      tls: change.tls === undefined ? row.tls : Number(change.tls),
    }
    const moved = fields.host !== row.host || fields.port !== row.port
    if (moved && row.databases > 0)
      throw conflict(
        `Database host ${row.name} has ${countOf(row.databases)} there: register the new address as another host.`,
      )
    await hostServer(fields, password).check()
    const kept = {
      ...fields,
      password: sealer.seal(password, hostPurpose(id)),
      capacity: change.capacity === undefined ? row.capacity : change.capacity,
    }
    await unique(kept, async () => {
      if (!(await updateHost(db.kysely, id, kept))) throw notFound(`Database host ${id}`)
    })
    return this.#need(id)
  }

  async test(id: string): Promise<{ version: string }> {
    const row = await this.#need(id)
    return hostServer(row, this.#passwordOf(row)).check()
  }

  /** Refused while databases are on it, also such as are still being made or deleted. */
  async remove(id: string): Promise<void> {
    await this.#options.db.transact(async (trx) => {
      const row = await hostById(trx, id)
      if (!row) throw notFound(`Database host ${id}`)
      if (row.databases > 0)
        throw conflict(`Database host ${row.name} still has ${countOf(row.databases)}: delete them first.`)
      await removeHost(trx, id)
    })
  }

  #passwordOf(row: DatabaseHostRow): Secret {
    return this.#options.sealer.open(row.password, hostPurpose(row.id))
  }

  async #need(id: string): Promise<HostWithCount> {
    const row = await hostById(this.#options.db.kysely, id)
    if (!row) throw notFound(`Database host ${id}`)
    return row
  }
}

const fieldsOf = ({ name, host, port, username, tls }: HostInput) => ({
  name,
  host: host.toLowerCase(),
  port,
  username,
  tls: tls ? 1 : 0,
})

const countOf = (databases: number): string => (databases === 1 ? 'a database' : `${databases} databases`)

async function unique({ name, host, port }: { name: string; host: string; port: number }, write: () => Promise<void>) {
  try {
    await write()
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw conflict(`There is already a database host named ${name} or at ${host}:${port}: change that one.`)
  }
}

import type { z } from 'zod'
import type { AbuseReport as AbuseReportReply, abuseOperations } from '../../contract/api/abuse.ts'
import { AppError, invalidRequest, notFound } from '../../contract/errors.ts'
import { sourceOf } from '../../lib/address.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Database, Store } from '../db/index.ts'
import type { Post } from '../mail/index.ts'
import type { Limit, Rates } from '../rates/index.ts'
import type { EdgeReach } from '../tunnels/index.ts'
import {
  administrators,
  changeReport,
  countOpenReports,
  type FoundReport,
  insertReport,
  listReports,
  reportById,
  tunnelByDomain,
  tunnelByName,
  tunnelByPort,
} from './store.ts'
import { toldPlace, tunnelInHost } from './told-place.ts'

type Told = z.output<typeof abuseOperations.reportAbuse.body>
type Reply = z.input<typeof AbuseReportReply>

export interface AbuseOptions {
  database: Database
  clock: Clock
  log: Log
  rates: Pick<Rates, 'limit'>
  post: Post
  publicUrl(): string
  /** Of every edge that is known. */
  reaches(): EdgeReach[]
}

/** What people tell of tunnels that do harm. Whoever runs the installation reads it, and suspends whom they have to. */
export class Abuse {
  readonly #options: AbuseOptions
  readonly #told: Limit

  constructor(options: AbuseOptions) {
    this.#options = options
    this.#told = options.rates.limit({ name: 'abuse reports', windowMs: hourMs, keysMax: sourcesMax })
  }

  /** Throws `rate_limited` where somebody tells too much, and `invalid_request` for what is no address. */
  async tell({ url, category, message, email }: Told, address: string): Promise<{ id: string; received: true }> {
    const { database, clock, log } = this.#options
    const taken = await this.#told.take(sourceOf(address), reportsPerHour)
    if (!taken.allowed)
      throw new AppError('rate_limited', 'You have told of much in this hour. Thank you; come again later.', {
        retryAfterSeconds: taken.resetSeconds,
      })
    const place = toldPlace(url)
    if (place.host === '')
      throw invalidRequest('body.url', 'is no address', 'what the browser shows, such as https://web.acme.example.org/')
    const store = database.kysely
    if ((await countOpenReports(store)) >= openMax)
      throw new AppError('rate_limited', 'So many reports are open that no more are taken. Try again tomorrow.', {
        retryAfterSeconds: 86_400,
      })
    const tunnel = await this.#tunnelOf(store, place)
    const id = newId('abr')
    await insertReport(store, {
      ...{ id, host: place.host, url, category, message, email: email ?? null, address },
      ...{ tunnel_id: tunnel?.id ?? null, workspace_id: tunnel?.workspace_id ?? null },
      ...{ state: 'open', note: null, closed_at: null, created_at: clock.now() },
    })
    log.warn({ report: id, host: place.host, category, workspace: tunnel?.workspace_id }, 'abuse was reported')
    // Whoever tells does not wait for a mail server.
    void this.#tellAdministrators(id, place.host, category).catch((error: unknown) =>
      log.warn({ err: error, report: id }, 'nobody could be mailed of a report'),
    )
    return { id, received: true }
  }

  async list(
    query: z.output<typeof abuseOperations.abuseReports.query>,
  ): Promise<{ reports: Reply[]; nextCursor: string | null }> {
    const most = query.limit ?? pageSize
    const rows = await listReports(this.#options.database.kysely, {
      state: query.state,
      before: cursorOf(query.cursor),
      most: most + 1,
    })
    const last = rows.length > most ? rows[most - 1] : undefined
    return { reports: rows.slice(0, most).map(describe), nextCursor: last ? `${last.created_at}.${last.id}` : null }
  }

  /** Throws `not_found`. */
  async update(id: string, { state, note }: z.output<typeof abuseOperations.updateAbuseReport.body>): Promise<Reply> {
    const { database, clock } = this.#options
    return database.transact(async (trx) => {
      const change = {
        ...(state && { state, closed_at: state === 'closed' ? clock.now() : null }),
        ...(note !== undefined && { note }),
      }
      if (!(await changeReport(trx, id, change))) throw notFound(`Report ${id}`)
      const found = await reportById(trx, id)
      if (!found) throw notFound(`Report ${id}`)
      return describe(found)
    })
  }

  async #tunnelOf(store: Store, { host, port }: { host: string; port: number | null }) {
    for (const { base, host: edge, ports } of this.#options.reaches()) {
      const named = tunnelInHost(host, base)
      const byName = named && (await tunnelByName(store, named.name, named.slug))
      if (byName) return byName
      if (host === edge && port !== null && port >= ports.first && port <= ports.last) return tunnelByPort(store, port)
    }
    return tunnelByDomain(store, host)
  }

  async #tellAdministrators(id: string, host: string, category: string): Promise<void> {
    const { database, post, publicUrl } = this.#options
    for (const to of await administrators(database.kysely))
      await post.send('abuse reports', {
        to,
        subject: `A tunnel was reported: ${category}`,
        // What a stranger wrote is read in the panel, not in a letter that comes from us.
        text: [
          `Somebody reports ${host.replaceAll('.', '[.]')} for ${category} (report ${id}).`,
          '',
          `Read it with "pharos abuse list", or at ${publicUrl()}/admin/abuse`,
          '',
        ].join('\n'),
      })
  }
}

const hourMs = 3_600_000
/** Whoever finds a campaign of pages tells of each; more is a campaign itself. */
const reportsPerHour = 10
/** About 100 bytes each. */
const sourcesMax = 10_000
/** Some MB; nobody reads more. */
const openMax = 10_000
const pageSize = 50

function cursorOf(text: string | undefined): { at: number; id: string } | null {
  if (text === undefined) return null
  const parts = /^(\d{1,15})\.([\w-]{1,80})$/.exec(text)
  if (!parts?.[2]) throw invalidRequest('query.cursor', 'is none that a page ended with')
  return { at: Number(parts[1]), id: parts[2] }
}

const describe = (row: FoundReport): Reply => ({
  id: row.id,
  url: row.url,
  host: row.host,
  category: row.category as Reply['category'], // written with the same schema
  message: row.message,
  email: row.email,
  address: row.address,
  workspace: row.slug,
  suspended: row.suspended_at !== null,
  tunnel: row.tunnel_name,
  state: row.state,
  note: row.note,
  closedAt: row.closed_at === null ? null : isoTime(row.closed_at),
  createdAt: isoTime(row.created_at),
})

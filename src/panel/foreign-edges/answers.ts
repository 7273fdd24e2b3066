import { z } from 'zod'
import type { edgeContractOperations, edgeContractTransfers } from '../../contract/edge-contract.ts'
import { invalidRequest, notFound } from '../../contract/errors.ts'
import type { Handlers, TransferHandlers } from '../../contract/operation.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Access, KeyIdentity } from '../access/index.ts'
import type { Database, ForeignEdgeRow } from '../db/index.ts'
import type { Rates } from '../rates/index.ts'
import type { ForeignBook, Taken } from './book.ts'
import type { ForeignEdgeContexts } from './gate.ts'
import {
  budgetsMax,
  hourMs,
  namesKeptMax,
  namesPerHour,
  readBytesMax,
  reportBytesMax,
  seenLateMs,
  textBytesMax,
  verifyAnswerMs,
} from './limits.ts'
import { suffixOf } from './names.ts'
import { readCutJson } from './reading.ts'
import { hasCounted, noteScope, touchEdge } from './store.ts'
import { Tenants, workspacesOf } from './tenants.ts'

export interface ForeignAnswerOptions {
  database: Database
  clock: Clock
  access: Pick<Access, 'identifyKey'>
  rates: Pick<Rates, 'limit'>
  book: ForeignBook
}

/** What edges of others are told. Whatever an edge does not serve looks as if it did not exist. */
export function foreignAnswers({
  database,
  clock,
  access,
  rates,
  book,
}: ForeignAnswerOptions): Handlers<typeof edgeContractOperations, ForeignEdgeContexts> {
  const store = database.kysely
  const newNames = rates.limit({ name: 'foreign names', windowMs: hourMs, keysMax: budgetsMax })
  /** Names that were found good lately, the one asked for longest ago first. */
  const known = new Set<string>()

  /** False for one name too many: each new one may cost a certificate. */
  const mayBeNew = async (edge: ForeignEdgeRow, workspaceId: string, host: string): Promise<boolean> => {
    const name = `${edge.id} ${host}`
    const isKnown = known.delete(name) || (await hasCounted(store, edge.id, workspaceId, host))
    if (!isKnown && !(await newNames.take(`${edge.id} ${workspaceId}`, namesPerHour)).allowed) return false
    known.add(name)
    for (const oldest of known) {
      if (known.size <= namesKeptMax) break
      known.delete(oldest)
    }
    return true
  }

  const seen = async (edge: ForeignEdgeRow): Promise<void> => {
    const now = clock.now()
    if (edge.last_seen_at === null || now - edge.last_seen_at > seenLateMs) await touchEdge(store, edge.id, now)
  }

  return {
    async verifyToken({ body, edge }) {
      const answerAt = performance.now() + verifyAnswerMs
      await seen(edge)
      const key = body.token.length > tokenLengthMax ? null : await access.identifyKey(body.token)
      const good = key !== null && mayUse(edge, key)
      if (good && !(await Tenants.of(store, edge)).bySlug(key.slug))
        await noteScope(store, edge.id, key.workspaceId, clock.now())
      await until(answerAt)
      // The same words whatever is wrong with it: unknown, revoked, expired, of a suspended workspace, or of one that has no use of this edge.
      if (!good) throw notFound('Token')
      return { kind: 'key', slug: key.slug }
    },
    async scopeHostnames({ query, edge }) {
      const workspace = (await Tenants.of(store, edge)).bySlug(query.slug)
      if (!workspace || workspace.suspended) throw notFound('Slug')
      const { slug } = workspace
      return {
        primary_slug: slug,
        slugs: [slug],
        shape: edge.shape,
        domains: [],
        primary_host: suffixOf(edge, slug),
      }
    },
    async resolveHost({ query, edge }) {
      const found = (await Tenants.of(store, edge)).at(query.host)
      if (!found || found.workspace.suspended) throw notFound('Host')
      if (!(await mayBeNew(edge, found.workspace.id, found.host))) throw notFound('Host')
      return { slug: found.workspace.slug, cert_mode: 'on_demand', tunnel: found.tunnel }
    },
    reportPeriods: async ({ body, edge }) => replyOf(await book.periods(edge, body.events)),
  }
}

export const foreignReports = (
  book: ForeignBook,
): TransferHandlers<typeof edgeContractTransfers, ForeignEdgeContexts> => ({
  async reportRequests({ content, edge }) {
    const body = Report.safeParse(await readCutJson(content, { textBytesMax, bytesMax: reportBytesMax, readBytesMax }))
    if (!body.success) throw invalidRequest('body.events', 'is missing', 'array')
    return replyOf(await book.requests(edge, body.data.events))
  },
})

/** Its records are looked at one by one. */
const Report = z.object({ events: z.array(z.unknown()) })

/** Longer than any key of ours: nothing of this size needs to be looked up. */
const tokenLengthMax = 512

const mayUse = (edge: ForeignEdgeRow, { workspaceId, suspended }: KeyIdentity): boolean =>
  !suspended && (workspacesOf(edge)?.includes(workspaceId) ?? true)

const until = (time: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())))

const replyOf = ({ accepted, dropped }: Taken) => ({ ok: true as const, accepted, ...(dropped > 0 ? { dropped } : {}) })

import type { z } from 'zod'
import type { ForeignEdge, foreignEdgeOperations } from '../../contract/api/foreign-edges.ts'
import { conflict, invalidRequest, notFound } from '../../contract/errors.ts'
import type { Parsed } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { hashSecret, newSecret, Secret } from '../../lib/secret.ts'
import type { Database, ForeignEdgeRow, Store } from '../db/index.ts'
import { edgesMax } from './limits.ts'
import {
  deleteEdge,
  edgeNamed,
  insertEdge,
  listEdges,
  saveCredential,
  servedBy,
  slugsOf,
  workspacesBySlug,
} from './store.ts'
import { workspacesOf } from './tenants.ts'

type Described = z.output<typeof ForeignEdge>

/** Edges of others: who they are, and by what they are known. */
export interface ForeignEdges {
  all(): Promise<Described[]>
  /** Throws `conflict` when the name is taken, `not_found` for a workspace that there is not. */
  create(
    input: Parsed<(typeof foreignEdgeOperations)['createForeignEdge']>['body'],
  ): Promise<Described & { credential: Secret }>
  /** A new credential; the one before stops working. Throws `not_found`. */
  renew(id: string): Promise<Secret>
  /** Throws `not_found`. */
  remove(id: string): Promise<void>
  /** Where agents with a key of this workspace dial: the address of the first edge that takes it; null without one. */
  addressFor(workspaceId: string): Promise<string | null>
}

export function createForeignEdges({ database, clock }: { database: Database; clock: Clock }): ForeignEdges {
  const describe = async (store: Store, row: ForeignEdgeRow): Promise<Described> => {
    const allowed = workspacesOf(row)
    const slugs = await slugsOf(store, allowed ?? [])
    const served = await servedBy(store, row.id)
    return {
      id: row.id,
      name: row.name,
      base: row.base,
      shape: row.shape,
      address: row.address,
      workspaces: allowed === null ? null : allowed.flatMap((id) => slugs.get(id) ?? []).sort(),
      serves: served.flatMap(({ id, slug }) => (allowed === null || allowed.includes(id) ? slug : [])),
      lastSeenAt: row.last_seen_at === null ? null : isoTime(row.last_seen_at),
      accepted: row.accepted,
      dropped: row.dropped,
      lastDropped: row.last_dropped,
      createdAt: isoTime(row.created_at),
    }
  }
  return {
    async all() {
      const rows = await listEdges(database.kysely)
      return Promise.all(rows.map((row) => describe(database.kysely, row)))
    },
    async create({ name, base, shape, address, workspaces }) {
      if (shape === 'flat' && workspaces?.length !== 1)
        throw invalidRequest(
          'body.workspaces',
          'must be exactly one: names of shape flat do not say whose they are',
          'one slug',
        )
      const credential = newSecret(credentialPrefix)
      const described = await database.transact(async (trx) => {
        if (await edgeNamed(trx, name)) throw conflict(`There is an edge of others called ${name} already`)
        if ((await listEdges(trx)).length >= edgesMax)
          throw conflict(`There are ${edgesMax} edges of others, the most there can be`)
        const ids = workspaces ? await idsOf(trx, workspaces) : null
        const row: ForeignEdgeRow = {
          id: newId('fedge'),
          name,
          credential_hash: hashSecret(credential),
          base,
          shape,
          address: address ?? null,
          workspaces: ids && JSON.stringify(ids),
          last_seen_at: null,
          accepted: 0,
          dropped: 0,
          last_dropped: null,
          counts_requests_since: null,
          created_at: clock.now(),
        }
        await insertEdge(trx, row)
        return describe(trx, row)
      })
      return { ...described, credential: new Secret(credential) }
    },
    async renew(id) {
      const credential = newSecret(credentialPrefix)
      if (!(await saveCredential(database.kysely, id, hashSecret(credential)))) throw notFound(`Edge ${id}`)
      return new Secret(credential)
    },
    async remove(id) {
      if (!(await database.transact((trx) => deleteEdge(trx, id)))) throw notFound(`Edge ${id}`)
    },
    async addressFor(workspaceId) {
      const taking = (await listEdges(database.kysely)).filter(
        (row) => workspacesOf(row)?.includes(workspaceId) ?? true,
      )
      return taking.find(({ address }) => address !== null)?.address ?? null
    },
  }
}

/** By it secret scanners find a credential that leaked. */
const credentialPrefix = 'phf'

async function idsOf(store: Store, slugs: readonly string[]): Promise<string[]> {
  const found = await workspacesBySlug(store, slugs)
  return slugs.map((slug) => {
    const id = found.get(slug)
    if (id === undefined) throw notFound(`Workspace ${slug}`)
    return id
  })
}

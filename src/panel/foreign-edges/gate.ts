import { AppError, unauthorized } from '../../contract/errors.ts'
import type { Contexts, Declared } from '../../contract/operation.ts'
import type { Gate, GateRequest } from '../../http/index.ts'
import { sourceOf } from '../../lib/address.ts'
import { hashSecret } from '../../lib/secret.ts'
import { addressesMax } from '../access/index.ts'
import type { Database, ForeignEdgeRow } from '../db/index.ts'
import type { Rates } from '../rates/index.ts'
import { edgesMax, failuresPerMinute, minuteMs, requestsPerMinute } from './limits.ts'
import { edgeByCredential } from './store.ts'

/** What the gate proves to a handler: which edge asks. */
export interface ForeignEdgeContexts extends Contexts {
  peer: { readonly edge: ForeignEdgeRow }
}

/** Longer than any credential of ours: nothing of this size needs to be hashed. */
const credentialLengthMax = 512

/** The routes of the contract, one request of each that an edge may make in a minute. */
const routesMax = 8

/** Admits edges of others, each by a credential of its own. */
export function foreignEdgeGate({
  database,
  rates,
}: {
  database: Database
  rates: Pick<Rates, 'limit'>
}): Gate<ForeignEdgeContexts> {
  const asked = rates.limit({ name: 'foreign edges', windowMs: minuteMs, keysMax: edgesMax * routesMax, leases: true })
  const failures = rates.limit({ name: 'foreign edge failures', windowMs: minuteMs, keysMax: addressesMax })
  return {
    async admit(operation, request) {
      const credential = presented(request)
      const edge = credential === null ? undefined : await edgeByCredential(database.kysely, hashSecret(credential))
      if (!edge) {
        const taken = await failures.take(sourceOf(request.address), failuresPerMinute)
        if (!taken.allowed) throw tooMany('refused credentials from your address', taken.resetSeconds)
        throw unauthorized(
          'This panel knows no edge with this credential. Register the edge, and send what it is given as "Authorization: Bearer <credential>".',
        )
      }
      const taken = await asked.take(`${edge.id} ${pathOf(operation)}`, requestsPerMinute)
      if (!taken.allowed) throw tooMany('requests of this edge', taken.resetSeconds)
      return { edge }
    },
  }
}

const pathOf = ({ path }: Declared): string => path

function presented({ headers }: GateRequest): string | null {
  const [, credential] = /^bearer +([^\s]+) *$/i.exec(headers.authorization ?? '') ?? []
  return credential === undefined || credential.length > credentialLengthMax ? null : credential
}

const tooMany = (what: string, seconds: number): AppError =>
  new AppError('rate_limited', `Too many ${what}. Try again in ${seconds} s.`, { retryAfterSeconds: seconds })

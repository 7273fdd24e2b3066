import { notFound } from '../../contract/errors.ts'
import { nodeTransferContents, nodeTransferOperations } from '../../contract/node-transfers.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type ApiPart, part, transferPart } from '../../http/index.ts'
import { Secret } from '../../lib/secret.ts'
import type { Arrivals } from './arrivals.ts'
import type { MovingDatabases } from './databases.ts'
import type { Departures } from './departures.ts'

interface Parts {
  departures: Departures
  arrivals: Arrivals
  moving: MovingDatabases
}

/** What panels ask while a server changes nodes. */
export const transferParts = ({ departures, arrivals, moving }: Parts): ApiPart[] => [
  part<typeof nodeTransferOperations, Contexts>(nodeTransferOperations, {
    departure: ({ params }) => departures.report(params.transfer, params.server),
    departureUnchanged: async ({ params }) => ({
      unchanged: await departures.unchanged(params.transfer, params.server),
    }),
    prepareArrival({ params, body }) {
      if (params.server !== body.id) throw notFound(`Server ${params.server}, which the spec calls ${body.id},`)
      return arrivals.prepare(params.transfer, body)
    },
    arrival: ({ params }) => arrivals.report(params.transfer, params.server),
    adoptArrival: ({ params, body }) => arrivals.adopt(params.transfer, params.server, body.consoleSeq, body.console),
    async readyDatabases() {
      await moving.ready()
      return {}
    },
    departureConnections: async ({ params }) => ({
      connections: await moving.connections(params.transfer, params.server),
    }),
    departingDatabase: ({ params }) => moving.departing(params.transfer, params.server, params.database),
    prepareDatabase: ({ params, body }) =>
      moving.prepare(
        params.transfer,
        params.server,
        { database: params.database, user: body.user, remote: body.remote },
        new Secret(body.password),
      ),
    arrivedDatabase: async ({ params }) => ({
      sum: await moving.arrived(params.transfer, params.server, params.database),
    }),
    async discardTransfer({ params }) {
      await arrivals.discard(params.transfer, params.server)
      return {}
    },
  }),
  transferPart<typeof nodeTransferContents, Contexts>(nodeTransferContents, {
    departureContent: async ({ params }) => ({
      headers: { 'content-type': 'application/octet-stream' },
      content: await departures.content(params.transfer, params.server),
    }),
    databaseContent: async ({ params }) => ({
      headers: { 'content-type': 'application/octet-stream' },
      content: moving.content(params.transfer, params.server, params.database),
    }),
    async arrivingDatabaseContent({ params, content }) {
      await moving.receive(params.transfer, params.server, params.database, content)
      return {}
    },
    arrivalContent: ({ params, content }) => arrivals.receive(params.transfer, params.server, content),
  }),
]

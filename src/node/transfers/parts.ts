import { notFound } from '../../contract/errors.ts'
import { nodeTransferContents, nodeTransferOperations } from '../../contract/node-transfers.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type ApiPart, part, transferPart } from '../../http/index.ts'
import type { Arrivals } from './arrivals.ts'
import type { Departures } from './departures.ts'

/** What panels ask while a server changes nodes. */
export const transferParts = (departures: Departures, arrivals: Arrivals): ApiPart[] => [
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
    arrivalContent: ({ params, content }) => arrivals.receive(params.transfer, params.server, content),
  }),
]

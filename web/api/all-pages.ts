import { apiPrefix, publicOperations } from 'pharos:operations'
import { createClient, type Send } from '../../src/client/index.ts'
import type { serverOperations } from '../../src/contract/api/servers.ts'
import { send } from './api.ts'

const most = 100

/** The list of servers, all of its pages: the header `X-Next-Cursor` says whether there is a further one. */
export async function everyServer(signal: AbortSignal) {
  let cursor: string | null = null
  const counting: Send = async (request) => {
    const reply = await send(request)
    cursor = reply.headers.get('x-next-cursor')
    return reply
  }
  // As in `api.ts`.
  const operations = publicOperations as unknown as Pick<typeof serverOperations, 'servers'>
  const client = createClient({ servers: operations.servers }, { baseUrl: apiPrefix, send: counting })
  const all = await client.servers({ query: { limit: most } }, { signal })
  while (cursor !== null) all.push(...(await client.servers({ query: { limit: most, cursor } }, { signal })))
  return all
}

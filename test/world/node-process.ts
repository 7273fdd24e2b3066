import { silentLog } from '../../src/lib/log.ts'
import { startNode } from '../../src/node/index.ts'

type Message = Parameters<typeof startNode>[0] & { databasePorts?: { first: number; last: number } }

// A whole node in a process of its own, for tests that kill it. Its configuration comes as a message: it holds a credential.
process.once('message', async ({ databasePorts: ports, ...config }: Message) => {
  await startNode(config, { log: silentLog, ...(ports && { databases: { ports } }) })
  process.send?.('started')
})

import { silentLog } from '../../src/lib/log.ts'
import { startNode } from '../../src/node/index.ts'

// A whole node in a process of its own, for tests that kill it. Its configuration comes as a message: it holds a credential.
process.once('message', async (config: Parameters<typeof startNode>[0]) => {
  await startNode(config, { log: silentLog })
  process.send?.('started')
})

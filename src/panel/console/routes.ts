import { serverOperations } from '../../contract/api/servers.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Consoles } from './console.ts'

const { consoleLog, consoleCommand } = serverOperations
export const consoleOperations = { consoleLog, consoleCommand }

export function consoleHandlers(consoles: Consoles): Handlers<typeof consoleOperations, PanelContexts> {
  return {
    consoleLog: async ({ server, query }) => ({ logs: await consoles.newest(server.row, query.size) }),
    consoleCommand: async ({ server, body }) => {
      await consoles.send(server.row, body.command)
      return { message: 'Command executed' }
    },
  }
}

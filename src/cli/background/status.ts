import { backgroundFolder } from './folder.ts'
import { LocalAgent, NoAgent } from './local-agent.ts'
import type { AgentStatus } from './messages.ts'

/** How the background agent of this user is; null where none is running. */
export async function statusOfAgent(stateHome: string): Promise<AgentStatus | null> {
  try {
    return await new LocalAgent(await backgroundFolder(stateHome)).status()
  } catch (error) {
    if (error instanceof NoAgent) return null
    throw error
  }
}

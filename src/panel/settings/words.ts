import type { NodeCapabilities } from '../../contract/node.ts'
import type { ServerStatus } from '../../contract/power.ts'

/** From when changed limits hold, in a sentence. */
export function limitWords(facts: {
  changed: { memory?: number | undefined; cpu?: number | undefined; disk?: number | undefined }
  status: ServerStatus
  node: string
  /** The node has taken them. */
  reached: boolean
  /** Null while they are not known. */
  capabilities: Pick<NodeCapabilities, 'memoryLimit' | 'cpuLimit'> | null
}): string {
  const { changed, status, node, reached, capabilities } = facts
  if (changed.memory === undefined && changed.cpu === undefined && changed.disk === undefined)
    return 'Limits updated; they hold now'
  if (!reached) return `Limits updated; node ${node} is away and takes them when it is back`
  const powerless = [
    ...(changed.memory !== undefined && capabilities?.memoryLimit === false ? ['memory'] : []),
    ...(changed.cpu !== undefined && capabilities?.cpuLimit === false ? ['CPU'] : []),
  ]
  if (powerless.length > 0) return `Limits updated; but node ${node} cannot limit ${powerless.join(' and ')}`
  if (status !== 'running' && status !== 'starting' && status !== 'stopping')
    return 'Limits updated; they hold from the next start'
  return changed.memory === undefined
    ? 'Limits updated; they hold now'
    : 'Limits updated; they hold now, and the server itself learns of its memory at its next start'
}

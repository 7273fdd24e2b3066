export type { EdgeReach } from './names.ts'
export { edgesFor } from './region.ts'
export { suspendedNow } from './suspension.ts'
export { createTunnels, type Tunnels } from './tunnels.ts'

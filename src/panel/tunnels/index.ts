export type { EdgeReach } from './names.ts'
export { suspendedNow } from './suspension.ts'
export { createTunnels, type Tunnels } from './tunnels.ts'

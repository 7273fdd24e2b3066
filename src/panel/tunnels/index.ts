export type { EdgeReach } from './names.ts'
export { createTunnels, type Tunnels } from './tunnels.ts'

export type { Tunnels } from './tunnels.ts'

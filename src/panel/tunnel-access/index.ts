// What puts the panel together of who may visit tunnels.
export { accessParts } from './kept.ts'
export { tunnelAccessRoutes } from './routes.ts'
export { TunnelAccess } from './tunnel-access.ts'

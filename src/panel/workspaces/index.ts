export { planRoutes } from './plan.ts'
export { workspaceRoutes } from './routes.ts'
export { createWorkspaces, type Workspaces } from './workspaces.ts'

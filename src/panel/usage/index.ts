export { usageRoutes } from './routes.ts'
export { createUsage, type UsageBook } from './usage.ts'

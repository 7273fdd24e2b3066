export { usageRoutes } from './routes.ts'
export { type CountedDay, createUsage, type UsageBook } from './usage.ts'

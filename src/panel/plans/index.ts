export { createPlans, type Plans } from './plans.ts'
export { tunnelPlanRoutes } from './routes.ts'

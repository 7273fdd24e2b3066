export { startupHandlers } from './routes.ts'

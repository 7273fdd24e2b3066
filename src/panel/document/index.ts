export { openApiDocument } from './document.ts'
export { documentRoutes } from './routes.ts'

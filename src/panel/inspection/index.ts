export { type InspectedEdge, Inspection } from './inspection.ts'
export { inspectionRoutes } from './routes.ts'
export { captureParts } from './settings.ts'

export { type ConnectedEdge, type EdgeDirectory, type EdgeFacts, openEdgeDirectory } from './directory.ts'
export { createEdges, type Edges } from './edges.ts'
export { tunnelRoutes } from './routes.ts'

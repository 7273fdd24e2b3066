export type { ConnectedEdge, Edges } from './edges.ts'

// What the other folders use of the edge.
export { EdgeConfig, type EdgeConfigInput } from './config.ts'
export type { ControlPlane, EdgeOrders } from './control-plane.ts'
export { type Edge, type EdgeOverrides, startEdge } from './edge.ts'
export { type EdgeLimits, edgeLimits } from './limits.ts'

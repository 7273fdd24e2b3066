// What the other slices use of nodes.
export { answerOf, isRefusal, nodeAway, plainWords } from './call.ts'
export type { LiveNode, NodeClient } from './live.ts'
export { type NodeObserver, Nodes, type NodesOptions } from './nodes.ts'
export { nodeHandlers } from './routes.ts'
export { nodeById } from './store.ts'

// What the other slices use of nodes.
export { answerOf, isRefusal, nodeAway, plainWords } from './call.ts'
export { capacityOf, labelsOf } from './capacity.ts'
export type { LiveNode, NodeClient } from './live.ts'
export { type NodeObserver, Nodes, type NodesOptions } from './nodes.ts'
export { nodeHandlers } from './routes.ts'
export { listNodes, type NodeWithServers, nodeById, nodeWithServers } from './store.ts'

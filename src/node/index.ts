// What the other folders use of the node.
export { NodeConfig, type NodeConfigInput } from './config.ts'
export { type Node, type NodeOverrides, startNode } from './node.ts'

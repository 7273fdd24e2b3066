// What the other folders use of the node.
export { type Node, startNode } from './node.ts'

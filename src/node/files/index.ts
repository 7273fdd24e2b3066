// What the rest of the node uses of files.
export { type NodeFiles, openNodeFiles } from './node-files.ts'
export { nodeFileParts } from './parts.ts'

import { nodeFileOperations, nodeFileTransfers } from '../../contract/node-files.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type ApiPart, part, transferPart } from '../../http/index.ts'
import type { NodeFiles } from './node-files.ts'

/** Files as parts of the node's API. */
export const nodeFileParts = (files: NodeFiles): ApiPart[] => [
  part<typeof nodeFileOperations, Contexts>(nodeFileOperations, files.operations),
  transferPart<typeof nodeFileTransfers, Contexts>(nodeFileTransfers, files.transfers),
]

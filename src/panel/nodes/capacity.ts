import { NodeFacts } from '../../contract/node.ts'
import { Labels } from '../../contract/placement.ts'
import type { NodeRow } from '../db/index.ts'

const bytesPerMib = 1_048_576

/** What a machine has, in the units in which servers ask for it: MiB of memory and disk, cores. */
export const capacityOf = ({ memoryBytes, diskBytes, cpuCores }: NodeFacts) => ({
  memory: Math.floor(memoryBytes / bytesPerMib),
  disk: Math.floor(diskBytes / bytesPerMib),
  cpu: cpuCores,
})

/** What the machine said last of itself; null for one that was never here. */
export const factsOf = ({ facts }: Pick<NodeRow, 'facts'>): NodeFacts | null =>
  facts === null ? null : NodeFacts.parse(JSON.parse(facts))

export const labelsOf = ({ labels }: Pick<NodeRow, 'labels'>): Labels => Labels.parse(JSON.parse(labels))

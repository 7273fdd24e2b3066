import { statfs } from 'node:fs/promises'
import { availableParallelism, hostname, release, totalmem, type } from 'node:os'
import type { NodeCapabilities, NodeFacts } from '../contract/node.ts'

/** What this machine is and can do now. */
export async function readFacts(dataDir: string, version: string, capabilities: NodeCapabilities): Promise<NodeFacts> {
  const disk = await statfs(dataDir)
  return {
    version,
    hostname: hostname(),
    platform: `${type()} ${release()} ${process.arch}`,
    cpuCores: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: disk.blocks * disk.bsize,
    diskFreeBytes: disk.bavail * disk.bsize,
    capabilities,
  }
}

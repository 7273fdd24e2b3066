import { statfs } from 'node:fs/promises'
import { availableParallelism, hostname, release, totalmem, type } from 'node:os'
import packageFile from '../../package.json' with { type: 'json' }
import type { NodeCapabilities, NodeFacts } from '../contract/node.ts'

/** What this machine is and can do now. */
export async function readFacts(dataDir: string, capabilities: NodeCapabilities): Promise<NodeFacts> {
  const disk = await statfs(dataDir)
  return {
    version: packageFile.version,
    hostname: hostname(),
    platform: `${type()} ${release()} ${process.arch}`,
    cpuCores: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: disk.blocks * disk.bsize,
    diskFreeBytes: disk.bavail * disk.bsize,
    capabilities,
  }
}

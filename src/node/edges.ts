import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Agent, startAgent } from '../agent/index.ts'
import { EdgeEndpoint, type ServerSpec } from '../contract/node.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import type { Log } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'

export interface Edges extends AsyncDisposable {
  /** From now on the agent links to these. Kept on disk, so that tunnels come back without any panel. */
  put(edges: EdgeEndpoint[]): Promise<void>
  /** Opens a tunnel for each allocation that wants one, and closes the others. */
  serve(specs: readonly ServerSpec[]): void
}

/** The agent inside the node: makes servers' ports reachable through edges where this machine has no public address. */
export async function openEdges(options: { dataDir: string; credential: Secret; log: Log }): Promise<Edges> {
  const path = join(options.dataDir, 'edges.json')
  const agent: Agent = startAgent({
    edges: await readEdges(path, options.log),
    credential: () => options.credential,
    log: options.log,
  })
  /** Allocation → port, as told to the agent. */
  const open = new Map<string, number>()
  return {
    async put(edges) {
      await agent.setEdges(edges)
      await writeFileAtomic(path, JSON.stringify(edges))
    },
    serve(specs) {
      const wanted = new Map(
        specs.flatMap((spec) => spec.allocations.filter((one) => one.tunnel).map((one) => [one.id, one.port] as const)),
      )
      for (const id of [...open.keys()]) {
        if (wanted.has(id)) continue
        agent.remove(id)
        open.delete(id)
      }
      for (const [id, port] of wanted) {
        if (open.get(id) === port) continue
        agent.add({ id, request: { kind: 'allocation', allocation: id }, target: { host: '127.0.0.1', port } })
        open.set(id, port)
      }
    },
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  }
}

async function readEdges(path: string, log: Log): Promise<EdgeEndpoint[]> {
  try {
    return z.array(EdgeEndpoint).parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    // The panel sends them again as soon as it is linked.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ err: error }, 'the list of edges is broken')
    return []
  }
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Agent, type AgentOptions, type LocalTarget, startAgent } from '../agent/index.ts'
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
export async function openEdges(options: {
  dataDir: string
  credential: Secret
  transport: AgentOptions['transport']
  /** See `LocalTarget`. */
  coming(server: string): Promise<void> | null
  log: Log
}): Promise<Edges> {
  const path = join(options.dataDir, 'edges.json')
  const agent: Agent = startAgent({
    edges: await readEdges(path, options.log),
    credential: () => options.credential,
    ...(options.transport ? { transport: options.transport } : {}),
    log: options.log,
  })
  /** Allocation → where it leads, as told to the agent. */
  const open = new Map<string, string>()
  return {
    async put(edges) {
      await agent.setEdges(edges)
      await writeFileAtomic(path, JSON.stringify(edges))
    },
    serve(specs) {
      const wanted = new Map(
        specs.flatMap(({ id: server, allocations, template: { proxyProtocol } }) =>
          allocations.flatMap(({ id, port, tunnel }, index): [string, LocalTarget][] => {
            const target = {
              ...{ host: '127.0.0.1', port, coming: () => options.coming(server) },
              ...(index === 0 && proxyProtocol ? { proxyProtocol } : {}),
            }
            return tunnel ? [[id, target]] : []
          }),
        ),
      )
      for (const id of [...open.keys()]) {
        if (wanted.has(id)) continue
        agent.remove(id)
        open.delete(id)
      }
      for (const [id, target] of wanted) {
        const told = JSON.stringify(target)
        if (open.get(id) === told) continue
        agent.add({ id, request: { kind: 'allocation', allocation: id }, target })
        open.set(id, told)
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

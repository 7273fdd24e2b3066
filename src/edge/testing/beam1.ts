import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { patienceMs } from '../../../test/patience.ts'
import { Beam1Peer } from '../../../test/world/beam1-peer.ts'
import type { EdgeOverrides } from '../edge.ts'
import { certificateFor } from './certificates.ts'
import { type TestEdge, tempFolder, testEdge } from './world.ts'

/** What agents of `beam/1` dial. */
export const certifiedHost = 'edge.example.test'

export interface Beam1Edge extends TestEdge {
  /** PEM of what agents trust; null where the edge has no certificate that could be checked. */
  authority: string | null
}

/** An edge as operators have it for agents of `beam/1`: with a certificate for its name. */
export async function beam1Edge(
  closer: AsyncDisposableStack,
  given: Partial<EdgeOverrides> = {},
  certified = true,
): Promise<Beam1Edge> {
  // A busy machine must not cut off the last words before the agent, which is in this process, too, has read them.
  const overrides = { ...given, beam1Limits: { closeMs: patienceMs, ...given.beam1Limits } }
  if (!certified) return { ...(await testEdge(closer, {}, overrides)), authority: null }
  const folder = await tempFolder(closer)
  const { certificate, key } = await certificateFor([certifiedHost])
  const [certificatePath, keyPath] = [join(folder, 'edge.pem'), join(folder, 'edge.key')]
  await Promise.all([writeFile(certificatePath, certificate), writeFile(keyPath, key)])
  const edge = await testEdge(closer, { certificate: certificatePath, certificateKey: keyPath }, overrides)
  return { ...edge, authority: certificate, [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() }
}

/** An agent that is connected and has said nothing yet. */
export async function beam1Agent(
  closer: AsyncDisposableStack,
  edge: Beam1Edge,
  window?: number,
  servername = certifiedHost,
): Promise<Beam1Peer> {
  const check = edge.authority === null ? { rejectUnauthorized: false } : { ca: edge.authority }
  const agent = await Beam1Peer.dial(edge.httpPort, { servername, ...check }, window)
  closer.defer(() => {
    agent.socket.destroy()
  })
  return agent
}

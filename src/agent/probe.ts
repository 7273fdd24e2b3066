import { AgentWelcome, type EdgeEndpoint } from '../contract/tunnel.ts'
import type { Secret } from '../lib/secret.ts'
import { dialLink, LinkError, type LinkErrorCode } from '../link/index.ts'
import { type EdgeWay, wayDialler } from './dial-edge.ts'

/** How one way to an edge went. */
export type EdgeProbe =
  | {
      ok: true
      /** From nothing to a link that was welcomed, ms. */
      linkMs: number
      /** The workspace that the key is of; null where it is none's. */
      slug: string | null
      /** Until datagrams went over UDP; null where they did not within `udpWaitMs`, or were not waited for. */
      udpMs: number | null
    }
  | { ok: false; code: LinkErrorCode; reason: string }

/**
 * Links to an edge in one way, as an agent does, opens nothing and lets go. Never rejects but with the signal's reason.
 * @param udpWaitMs how long to wait for the path over UDP; 0: not
 */
export async function probeEdge(
  edge: EdgeEndpoint,
  credential: Secret,
  way: EdgeWay,
  { udpWaitMs, signal }: { udpWaitMs: number; signal: AbortSignal },
): Promise<EdgeProbe> {
  const overUdp = Promise.withResolvers<void>()
  const begun = performance.now()
  try {
    const link = await dialLink({
      dialler: wayDialler(edge, way),
      hello: { role: 'agent', version: 1, credential: credential.reveal(), software: 'pharos check' },
      events: {
        onStream: (stream) => stream.destroy(),
        onDatagramPath: (via) => {
          if (via === 'udp') overUdp.resolve()
        },
      },
      signal,
    })
    const linked = performance.now()
    const welcome = AgentWelcome.safeParse(link.greeting)
    const up = udpWaitMs > 0 && (await within(overUdp.promise, udpWaitMs))
    const udpMs = up ? performance.now() - linked : null
    link.close('it was only tried')
    return { ok: true, linkMs: linked - begun, slug: welcome.success ? welcome.data.slug : null, udpMs }
  } catch (error) {
    if (error instanceof LinkError) return { ok: false, code: error.code, reason: error.message }
    signal.throwIfAborted()
    return { ok: false, code: 'lost', reason: error instanceof Error ? error.message : String(error) }
  }
}

async function within(promise: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const first = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return first
}

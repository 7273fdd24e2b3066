import { type EdgeProbe, type EdgeWay, probeEdge } from '../../agent/index.ts'
import type { EdgeEndpoint } from '../../contract/tunnel.ts'
import type { Secret } from '../../lib/secret.ts'
import { blocked, type Finding, ok, warning } from './finding.ts'
import { nameFinding, portFinding } from './way.ts'

/** A path over UDP is there after one packet and its answer; a lost one is repeated after half a second and after one, ms. */
const udpWaitMs = 4_000

/** Every way from here to an edge: its name, its port, the link itself, the way around firewalls, and the path for datagrams. */
export async function edgeFindings(edge: EdgeEndpoint, key: Secret, signal: AbortSignal): Promise<Finding[]> {
  const name = await nameFinding('edge-dns', edge.host)
  if (name.state === 'blocked') return [name]
  const probe = (way: EdgeWay): Promise<EdgeProbe> =>
    probeEdge(edge, key, way, { udpWaitMs: way === 'direct' ? udpWaitMs : 0, signal })
  const [port, direct, byHttps, byHttp] = await Promise.all([
    portFinding('edge-tcp', edge.host, edge.port),
    probe('direct'),
    probe('websocket-443'),
    probe('websocket'),
  ])
  return [name, ...judge(edge, port, direct, [byHttps, byHttp])]
}

/** What follows from how the ways went. One of them is enough. */
export function judge(
  { host, port }: Pick<EdgeEndpoint, 'host' | 'port'>,
  tcp: Finding,
  direct: EdgeProbe,
  webSockets: readonly [https: EdgeProbe, http: EdgeProbe],
): Finding[] {
  const where = `${host}:${port}`
  const around = webSockets.find((probe) => probe.ok)
  const refused = [direct, ...webSockets].find((probe) => !probe.ok && probe.code === 'unauthorized')
  if (refused && !refused.ok)
    return [
      tcp,
      blocked('edge-link', where, `refuses the API key: ${refused.reason}`, {
        next: 'Make another key, and sign in with it.',
      }),
    ]
  const webSocket = around?.ok
    ? ok('edge-websocket', host, 'takes links by WebSocket, for networks that let nothing else through', {
        ms: around.linkMs,
      })
    : warning('edge-websocket', host, `takes no links by WebSocket: ${reasonOf(webSockets[1])}`, {
        next: direct.ok ? null : 'Who runs the edge can let WebSockets through to /link, on port 443 or its own.',
      })
  if (direct.ok)
    return [
      tcp,
      ok('edge-link', where, 'takes the link, with the key that the panel told of', { ms: direct.linkMs }),
      webSocket,
      direct.udpMs === null
        ? warning(
            'edge-udp',
            where,
            'datagrams do not get through; those of UDP tunnels go over the link instead, where a lost packet delays others',
            {
              next: `Let UDP to port ${port} out, here and at the edge, if you have games or calls over UDP.`,
            },
          )
        : ok('edge-udp', where, 'datagrams get through', { ms: direct.udpMs }),
    ]
  // The name is right, the port is open, and somebody else answers.
  const advice =
    direct.code === 'refused'
      ? 'Something between here and the edge answers in its place (a proxy that looks into TLS), or the edge was set up anew: ask who runs it.'
      : `Let TCP to port ${port} out.`
  if (around)
    return [
      { ...tcp, state: tcp.state === 'blocked' ? 'warning' : tcp.state },
      warning(
        'edge-link',
        where,
        `the direct way fails (${direct.reason}); links go by WebSocket, which takes some seconds longer to begin`,
        {
          next: `${advice} Or say --transport websocket, which does not try the direct way first.`,
        },
      ),
      webSocket,
    ]
  return [tcp, blocked('edge-link', where, `cannot be linked to: ${direct.reason}`, { next: advice }), webSocket]
}

const reasonOf = (probe: EdgeProbe): string => (probe.ok ? 'it does' : probe.reason)

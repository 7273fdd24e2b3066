import { z } from 'zod'
import type { HealthCheck, LocalTarget, WantedTunnel } from '../../../agent/index.ts'
import { isRawKind, type TunnelRequest } from '../../../contract/tunnel.ts'

/** A path that a service is asked for. */
export const HealthPath = z.string().regex(/^\/[!-~]{0,1000}$/, 'must be a path that begins with /')

/** What a person asks for. */
export interface Asked extends Omit<LocalTarget, 'proxyProtocol'> {
  proxyProtocol?: LocalTarget['proxyProtocol'] | undefined
  kind: Exclude<TunnelRequest['kind'], 'allocation'>
  name: string
  /** The first port on the edge that is wanted. */
  edgePort?: number | undefined
  ports?: number | undefined
  /** The service speaks HTTP/2. */
  http2?: boolean | undefined
  pool?: boolean | undefined
  healthPath?: string | undefined
}

/** How what is asked for is called where it was asked for. */
export type Words = Record<'ports' | 'edgePort' | 'raw' | 'http2' | 'pool' | 'healthPath', string>

/** Why that does not go together; null where it does. */
export function contradictionIn(asked: Asked, words: Words): string | null {
  const { kind, port, ports, edgePort, http2, pool, healthPath } = asked
  if (!isRawKind(kind) && (ports ?? edgePort) !== undefined)
    return `${words.ports} and ${words.edgePort} are for ${words.raw}: other tunnels have host names.`
  if (port + (ports ?? 1) - 1 > 65_535) return `There are no ${ports} ports from ${port} on.`
  if (healthPath !== undefined && !pool) return `${words.healthPath} is for ${words.pool}: nobody else could take over.`
  if (http2 && kind !== 'http') return `${words.http2} is for HTTP by host name, not for ${kind}.`
  if (http2 && healthPath !== undefined)
    return `${words.healthPath} is asked over HTTP/1, which a service of ${words.http2} may not speak: leave it out.`
  return null
}

/** What the agent is to keep open. */
export function wantedOf({ name, host, port, proxyProtocol, pool, healthPath, ...asked }: Asked): WantedTunnel {
  const health = pool && asked.kind !== 'udp' ? checkOf(healthPath) : undefined
  return {
    id: name,
    request: { ...requestOf({ name, ...asked }), ...(pool && { pool }) },
    target: { host, port, ...(proxyProtocol && { proxyProtocol }) },
    ...(health && { health }),
  }
}

/** Ports are left out where the kind has none. */
function requestOf({
  kind,
  name,
  edgePort,
  ports,
  http2,
}: Pick<Asked, 'kind' | 'name' | 'edgePort' | 'ports' | 'http2'>) {
  if (kind === 'http') return { kind, name, ...(http2 && { http2 }) }
  if (!isRawKind(kind)) return { kind, name }
  return { kind, name, ...(edgePort !== undefined && { port: edgePort }), ...(ports !== undefined && { ports }) }
}

const checkOf = (path: string | undefined): HealthCheck =>
  path === undefined ? { kind: 'tcp' } : { kind: 'http', path }

import { isRawKind, type TunnelRequest } from '../../../contract/tunnel.ts'

/** What a person asks for, with all that only raw ports have. */
export interface Asked {
  kind: Exclude<TunnelRequest['kind'], 'allocation'>
  name: string
  /** The first port on the edge that is wanted. */
  edgePort?: number | undefined
  ports?: number | undefined
  /** The service speaks HTTP/2. */
  http2?: boolean | undefined
}

/** The request to the edge. Ports are left out where the kind has none. */
export function requestOf({ kind, name, edgePort, ports, http2 }: Asked): TunnelRequest {
  if (kind === 'http') return { kind, name, ...(http2 && { http2 }) }
  if (!isRawKind(kind)) return { kind, name }
  return { kind, name, ...(edgePort !== undefined && { port: edgePort }), ...(ports !== undefined && { ports }) }
}

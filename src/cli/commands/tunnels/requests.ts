import type { TunnelRequest } from '../../../contract/tunnel.ts'

/** What a person asks for, with all that only raw ports have. */
export interface Asked {
  kind: Exclude<TunnelRequest['kind'], 'allocation'>
  name: string
  /** The first port on the edge that is wanted. */
  edgePort?: number | undefined
  ports?: number | undefined
}

/** The request to the edge. Ports are left out where the kind has none. */
export function requestOf({ kind, name, edgePort, ports }: Asked): TunnelRequest {
  if (kind !== 'tcp' && kind !== 'udp') return { kind, name }
  return { kind, name, ...(edgePort !== undefined && { port: edgePort }), ...(ports !== undefined && { ports }) }
}

import type { Entrance, HostKind, PortKind } from '../../contract/edge.ts'

/** Brings in the visitors of one kind of raw port. */
export interface PortIngress {
  /** Listens on the port if it does not yet. Rejects with the system's error when it cannot. */
  listen(port: number): Promise<void>
  /** Stops listening on a port that no tunnel is bound to; others are left alone. Idempotent. */
  release(port: number): void
}

/** What this edge can bring visitors in by. A tunnel with an entrance of another kind is refused. */
export interface Ingresses {
  ports: Partial<Record<PortKind, PortIngress>>
  /** Kinds whose visitors find their tunnel in the routing table by host name. */
  hosts: ReadonlySet<HostKind>
}

export type PortEntrance = Extract<Entrance, { port: number }>

export const hasPorts = (entrance: Entrance): entrance is PortEntrance => 'port' in entrance

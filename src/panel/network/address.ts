import type { NodeRow } from '../db/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import type { AllocationWithTunnel } from './store.ts'

export interface Address {
  host: string
  port: number
}

/** What players connect to: the node's public address, or an edge's. Null where nothing public leads to the port now. */
export function publicAddressOf(
  allocation: AllocationWithTunnel,
  node: Pick<NodeRow, 'public_address'>,
  tunnels: Pick<Tunnels, 'addressOf'>,
): Address | null {
  if (node.public_address !== null) return { host: node.public_address, port: allocation.port }
  return allocation.tunnel ? tunnels.addressOf(allocation.tunnel) : null
}

/** `host:port`; an IPv6 address in brackets, so that the port can be told apart. */
export const addressText = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

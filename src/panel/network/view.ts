import type { z } from 'zod'
import type { Allocation } from '../../contract/api/servers.ts'
import type { NodeRow } from '../db/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import { publicAddressOf } from './address.ts'
import type { AllocationWithTunnel } from './store.ts'

/**
 * An allocation as players and owners see it. Where nothing public leads to it, `ip` is the machine's own name: it is
 * reachable from the same network, and nowhere else.
 */
export function allocationView(
  allocation: AllocationWithTunnel,
  node: Pick<NodeRow, 'public_address'> & { hostname: string | null },
  tunnels: Pick<Tunnels, 'addressOf'>,
): z.input<typeof Allocation> {
  const address = publicAddressOf(allocation, node, tunnels)
  return {
    id: allocation.id,
    ip: address?.host ?? node.hostname ?? 'localhost',
    port: address?.port ?? allocation.port,
    primary: allocation.primary_port === 1,
    notes: allocation.notes,
    local: allocation.port,
  }
}

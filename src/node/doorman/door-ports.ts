import type { ServerSpec } from '../../contract/node.ts'
import type { GameQuery } from '../../contract/template.ts'

/** A port that is kept open for a sleeping server. */
export interface DoorPort {
  port: number
  protocol: 'tcp' | 'udp'
  /** Where the game itself would listen. */
  address: '0.0.0.0' | '127.0.0.1'
  /** What is spoken there, where it is known. */
  speaks: GameQuery['kind'] | null
  /** Connections begin with a header that names the visitor. */
  proxyHeader: boolean
}

/**
 * Where visitors can wake the server. Of a game whose protocol is known that is its first port alone, where a player can be told
 * from a scanner; of anything else every port.
 */
export function doorPortsOf({ template, allocations, container }: ServerSpec): DoorPort[] {
  const speaks = template.query?.kind ?? template.entrance ?? null
  const doors = speaks === null ? allocations : allocations.slice(0, 1)
  const protocols = speaks === null ? template.protocols : template.protocols.filter(isSpoken(speaks))
  return doors.flatMap(({ port, tunnel }, index) =>
    protocols.map(
      (protocol): DoorPort => ({
        ...{ port, protocol, speaks },
        address: container && tunnel ? '127.0.0.1' : '0.0.0.0',
        proxyHeader: template.proxyProtocol !== undefined && index === 0 && protocol === 'tcp',
      }),
    ),
  )
}

/** Minecraft is the only one of them that speaks TCP. */
const isSpoken =
  (kind: GameQuery['kind']) =>
  (protocol: 'tcp' | 'udp'): boolean =>
    protocol === (kind === 'minecraft' ? 'tcp' : 'udp')

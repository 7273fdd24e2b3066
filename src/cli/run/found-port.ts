import type { Listener } from './listeners.ts'

/** Where a command turned out to listen. */
export interface FoundPort {
  host: string
  port: number
  /** Other ports that it might be, too. */
  others: number[]
}

/** Of Node, where a program is debugged. */
const debuggerPorts = { first: 9_229, last: 9_239 }

/**
 * The port that a tunnel should lead to: the one that was asked for, else, once a command had time to open all of its ports, the lowest
 * that is no debugger's. Null while there is none.
 */
export function choosePort(listeners: readonly Listener[], wanted: number, settled: boolean): FoundPort | null {
  const found = listeners.filter(({ port }) => port < debuggerPorts.first || port > debuggerPorts.last)
  const ports = [...new Set(found.map(({ port }) => port))].sort((a, b) => a - b)
  const port = ports.includes(wanted) ? wanted : settled ? ports[0] : undefined
  if (port === undefined) return null
  const addresses = found.filter((one) => one.port === port).map(({ address }) => address)
  const others = port === wanted ? [] : ports.filter((one) => one !== port)
  return { host: reachableBy(addresses), port, others }
}

/** `localhost` leads to both loopback addresses; a service that listens on another address alone is found there. */
const reachableBy = (addresses: readonly string[]): string =>
  addresses.some((address) => /^(127\.|::1?$|0\.0\.0\.0$|0:0:0:0:0:ffff:7f)/.test(address))
    ? 'localhost'
    : (addresses[0] ?? 'localhost')

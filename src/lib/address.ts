import { isIPv6 } from 'node:net'

/** The address without the form in which sockets for both families show IPv4 peers; `0.0.0.0` for a socket that is gone. */
export const plainAddress = (address: string | undefined): string =>
  address ? address.replace(/^::ffff:(?=\d+\.)/, '') : '0.0.0.0'

/**
 * Who counts as one source of visitors, callers or clients, wherever something is limited by that: an IPv4 address, or an IPv6 network
 * of /64, since a single customer has all of it. However the address is written, it is the same source.
 */
export const sourceOf = (address: string): string => networkOf(address, 4) ?? address

/** A wider neighbourhood, which whoever forges or rents addresses by the handful stays in: IPv4 /24, IPv6 /48. */
export const prefixOf = (address: string): string =>
  networkOf(address, 3) ?? address.slice(0, Math.max(0, address.lastIndexOf('.')))

/** The network by the first groups of an IPv6 address; null for any other text. */
function networkOf(address: string, groups: number): string | null {
  const [plain = ''] = address.split('%', 1)
  if (!isIPv6(plain)) return null
  const [head = '', tail] = plain.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 address at the end takes the room of two groups.
  const written = before.length + after.length + (plain.includes('.') ? 1 : 0)
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - written)).fill('0')
  const network = [...before, ...zeros, ...after].slice(0, groups)
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/${groups * 16}`
}

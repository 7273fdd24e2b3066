/**
 * Who counts as one source of visitors. Of IPv6 a single customer has a network of 2^64 addresses at least, so what is limited by
 * source is limited by network there.
 */

/** An IPv4 address, or an IPv6 network of /64. */
export const sourceOf = (address: string): string => (address.includes(':') ? ipv6Network(address, 4) : address)

/** A wider neighbourhood, which whoever forges or rents addresses by the handful stays in: IPv4 /24, IPv6 /48. */
export const prefixOf = (address: string): string =>
  address.includes(':') ? ipv6Network(address, 3) : address.slice(0, address.lastIndexOf('.'))

/** The first groups of an address as the system writes it, without their leading zeros. */
function ipv6Network(address: string, groups: number): string {
  const [head = '', tail] = address.split('%', 1).join('').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 address at the end takes the room of two groups.
  const written = before.length + after.length + (address.includes('.') ? 1 : 0)
  const all = tail === undefined ? before : [...before, ...Array<string>(Math.max(0, 8 - written)).fill('0'), ...after]
  return `${all.slice(0, groups).join(':')}::`
}

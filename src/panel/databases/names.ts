import { randomText } from '../../lib/ids.ts'

/** The name on the database server: one server's names never meet another's, and upper case is no difference anywhere. */
export const realName = (serverId: string, name: string): string => `s${serverId}_${name.toLowerCase()}`

/** A new account's name: nobody can guess it or take it again. */
export const newAccountName = (serverId: string): string => `s${serverId}_${randomText(12)}`

/**
 * Where an account may connect from unless somebody says. On a node's own MariaDB: from that machine, which is all that can
 * reach it. On a registered host: from anywhere, since nobody knows what address a game's machine has there; the password is
 * beyond guessing, and the host's firewall is its operator's.
 */
export const defaultRemote = (at: 'node' | 'host'): string => (at === 'node' ? '127.0.0.1' : '%')

/** What somebody must know who asked for this remote; null for nothing. */
export function remoteNote(at: 'node' | 'host', remote: string): string | null {
  if (at === 'host' || remote === 'localhost' || matches(remote, '127.0.0.1')) return null
  return 'This database is reached from its own machine alone, by 127.0.0.1, which this remote does not match: no game can log in with it. Use 127.0.0.1 or %.'
}

function matches(pattern: string, address: string): boolean {
  const [network, mask] = pattern.split('/')
  if (network !== undefined && mask !== undefined) return (ipv4(address) & ipv4(mask)) === ipv4(network)
  const expression = pattern.replaceAll('.', '\\.').replaceAll('%', '.*').replaceAll('_', '.')
  return new RegExp(`^${expression}$`).test(address)
}

const ipv4 = (text: string): number => text.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0)

/** What the password of a database is sealed for. */
export const sealedFor = (id: string): string => `databases/${id}`

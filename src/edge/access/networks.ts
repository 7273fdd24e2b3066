import { BlockList, isIP } from 'node:net'
import type { IpRules } from '../../contract/access-rules.ts'

/** Whether an address may come in: not one that is denied, and one that is allowed where anybody is. */
export function ipGate({ allow, deny }: IpRules): (address: string) => boolean {
  const allowed = listOf(allow)
  const denied = listOf(deny)
  return (address) => !includes(denied, address) && (allow.length === 0 || includes(allowed, address))
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

/** IPv4 in IPv6 is IPv4; what is no address is in no list, and so let in by no list of those allowed. */
function includes(list: BlockList, text: string): boolean {
  const [address = ''] = text.split('%', 1)
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

import { BlockList, isIP } from 'node:net'
import { isPublicAddress } from './outbound.ts'

/** Which addresses URLs that strangers choose may lead to: public ones, and those of the networks that the installation allows (`10.0.0.0/8`). */
export function reachableBy(networks: readonly string[]): (address: string) => boolean {
  const allowed = new BlockList()
  for (const range of networks) {
    const [network = '', bits] = range.split('/')
    const family = familyOf(network)
    if (bits === undefined) allowed.addAddress(network, family)
    else allowed.addSubnet(network, Number(bits), family)
  }
  return (address) => isPublicAddress(address) || (isIP(address) !== 0 && allowed.check(address, familyOf(address)))
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

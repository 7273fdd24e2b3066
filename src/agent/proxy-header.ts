import { isIPv4, isIPv6 } from 'node:net'
import type { VisitorHead } from '../contract/tunnel.ts'

/** Which version of the PROXY protocol a service wants in front of each connection. */
export type ProxyProtocol = 'v1' | 'v2'

type Ends = Pick<VisitorHead, 'protocol' | 'address' | 'port' | 'localAddress' | 'localPort'>

/**
 * Tells a service who its visitor is, in front of the visitor's own bytes: the header of HAProxy's PROXY protocol. What is not a pair of
 * addresses is told as unknown, which services take for the sender's own. Datagrams have a header in version 2 alone.
 */
export function proxyHeader(version: ProxyProtocol, visitor: Ends): Buffer {
  const { address, localAddress } = visitor
  const family = isIPv4(address) && isIPv4(localAddress) ? 4 : isIP(address) && isIP(localAddress) ? 6 : null
  return version === 'v2' || visitor.protocol === 'udp' ? binaryHeader(visitor, family) : textHeader(visitor, family)
}

const isIP = (text: string): boolean => isIPv4(text) || isIPv6(text)

/** Where only one end is IPv4 it is written as IPv6, since a header has one family. */
const inIpv6 = (address: string): string => (isIPv4(address) ? `::ffff:${address}` : withoutZone(address))

const withoutZone = (address: string): string => address.split('%', 1).join('')

function textHeader({ address, port, localAddress, localPort }: Ends, family: 4 | 6 | null): Buffer {
  if (family === null) return Buffer.from('PROXY UNKNOWN\r\n')
  const [from, to] = family === 4 ? [address, localAddress] : [inIpv6(address), inIpv6(localAddress)]
  return Buffer.from(`PROXY TCP${family} ${from} ${to} ${port} ${localPort}\r\n`)
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const version2ByProxy = 0x21
const families = { 4: 0x10, 6: 0x20 } as const
const stream = 0x1
const datagram = 0x2

function binaryHeader({ protocol, address, port, localAddress, localPort }: Ends, family: 4 | 6 | null): Buffer {
  if (family === null) return Buffer.concat([signature, Buffer.from([version2ByProxy, 0, 0, 0])])
  const bytesOf = family === 4 ? ipv4Bytes : (text: string): Buffer => ipv6Bytes(inIpv6(text))
  const addresses = Buffer.concat([bytesOf(address), bytesOf(localAddress), Buffer.alloc(4)])
  addresses.writeUInt16BE(port, addresses.length - 4)
  addresses.writeUInt16BE(localPort, addresses.length - 2)
  const head = Buffer.from([
    version2ByProxy,
    families[family] | (protocol === 'udp' ? datagram : stream),
    0,
    addresses.length,
  ])
  return Buffer.concat([signature, head, addresses])
}

const ipv4Bytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number))

function ipv6Bytes(address: string): Buffer {
  const bytes = Buffer.alloc(16)
  const [head = '', tail = ''] = address.split('::')
  groupsOf(head).copy(bytes)
  const end = groupsOf(tail)
  end.copy(bytes, bytes.length - end.length)
  return bytes
}

function groupsOf(part: string): Buffer {
  if (part === '') return Buffer.alloc(0)
  return Buffer.concat(
    part
      .split(':')
      .map((group) => (group.includes('.') ? ipv4Bytes(group) : Buffer.from(group.padStart(4, '0'), 'hex'))),
  )
}

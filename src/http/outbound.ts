import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { type AppError, conflict } from '../contract/errors.ts'

// Requests to URLs that people give, which must not reach what only this machine or its network reaches.

/** Redirects that are followed: a mirror, a content network, a login page too many. */
const redirectsMax = 5

/** A URL that gives nothing for so long is given up, in ms. */
const idleMs = 30_000

/** Asks for every address of a name, as `lookup` of node:dns does. */
export type LookupAll = (
  name: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void

/** Follows redirects; each address is looked at by the dialler itself, so no name can change between the look and the call. */
export async function openUrl(
  first: URL,
  isReachable: (address: string) => boolean,
  signal: AbortSignal,
  lookupAll: LookupAll = lookup,
): Promise<IncomingMessage> {
  let url = first
  for (let redirects = 0; redirects <= redirectsMax; redirects += 1) {
    const response = await dial(url, isReachable, signal, lookupAll)
    const { statusCode = 0 } = response
    if (statusCode === 200) return response
    response.destroy()
    const { location } = response.headers
    if (statusCode < 300 || statusCode > 399 || location === undefined)
      throw conflict(`${url.host} answered ${statusCode} instead of the file`)
    if (!URL.canParse(location, url.href)) throw conflict(`${url.host} redirects to what is no URL`)
    url = new URL(location, url)
  }
  throw conflict(`${first.host} redirects more than ${redirectsMax} times`)
}

function dial(
  url: URL,
  isReachable: (address: string) => boolean,
  signal: AbortSignal,
  lookupAll: LookupAll,
): Promise<IncomingMessage> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw conflict('Only http and https URLs are fetched')
  if (url.username !== '' || url.password !== '') throw conflict('A URL with a password in it is not fetched')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // An address needs no look-up, so the dialler would not be asked.
  if (isIP(host) && !isReachable(host)) throw notPublic(url.host)
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      agent: false,
      lookup: checkedLookup(isReachable, () => notPublic(url.host), lookupAll),
      signal,
      timeout: idleMs,
      headers: { 'user-agent': 'pharos', accept: '*/*', 'accept-encoding': 'identity' },
    })
    request.on('response', resolve)
    request.on('error', reject)
    request.on('timeout', () => request.destroy(conflict(`${url.host} gave nothing for ${idleMs / 1000} seconds`)))
    request.end()
  })
}

/**
 * For the dialler of a URL that a stranger chose: only addresses that `isReachable` allows are found, and what is found is dialled. A
 * URL that is an address itself is never looked up: look at that before.
 */
export function checkedLookup(
  isReachable: (address: string) => boolean,
  refusal: () => Error,
  lookupAll: LookupAll = lookup,
): LookupFunction {
  return (name, options, done) => {
    lookupAll(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '')
      const addresses = found.filter(({ address }) => isReachable(address))
      const [one] = addresses
      if (!one) return done(refusal(), '')
      if (options.all) done(null, addresses)
      else done(null, one.address, one.family)
    })
  }
}

const notPublic = (host: string): AppError =>
  conflict(`${host} is not on the public internet; only public addresses are fetched`)

/** What is not the public internet, by the registries of special addresses (RFC 6890 and its followers). */
const special = new BlockList()
for (const range of [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]) {
  const [network = '', bits] = range.split('/')
  special.addSubnet(network, Number(bits), 'ipv4')
}
/** Of IPv6 only 2000::/3 is given out; these parts of it stand for IPv4 addresses or for nothing. */
const given = new BlockList()
given.addSubnet('2000::', 3, 'ipv6')
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  special.addSubnet(network, bits, 'ipv6')

/** Whether an address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  return family === 6 && given.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

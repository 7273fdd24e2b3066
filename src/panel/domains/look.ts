import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { dnsTimeoutMs, dnsTries, foundCharsMax, foundMax } from './limits.ts'
import { below, challengeLabel, isWildcard, proofLabel, proofPrefix } from './name.ts'
import type { Finding } from './proof.ts'

/** What one look at the DNS has found. */
export interface Look {
  ownership: Finding
  address: Finding
  /** What stands there instead. */
  found: string[]
}

/**
 * Asks the DNS about domains.
 * @param servers `address` or `address:port` of the resolvers; empty: those of the system
 */
export class Dns {
  readonly #servers: readonly string[]

  constructor(servers: readonly string[]) {
    this.#servers = servers
  }

  /**
   * Whether the domain's records are set.
   * @param edges host names and addresses that visitors are led to
   */
  async look(
    { name, token }: { name: string; token: string },
    edges: readonly string[],
    signal: AbortSignal,
  ): Promise<Look> {
    return this.#asking(signal, async (resolver) => {
      const [proof, address] = await Promise.all([proofOf(resolver, name, token), addressOf(resolver, name, edges)])
      return {
        ownership: proof.finding,
        address: address.finding,
        found: [...proof.found, ...address.found].slice(0, foundMax).map((text) => text.slice(0, foundCharsMax)),
      }
    })
  }

  /** Whether the record of a wildcard's certificate leads to this name. */
  async delegated(name: string, target: string, signal: AbortSignal): Promise<Finding> {
    return this.#asking(signal, async (resolver) => {
      const { values, known } = await answers(() => resolver.resolveCname(`${challengeLabel}.${below(name)}`))
      if (values.some((value) => plain(value) === target)) return 'found'
      return known ? 'missing' : 'unknown'
    })
  }

  async #asking<T>(signal: AbortSignal, ask: (resolver: Resolver) => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    const resolver = new Resolver({ timeout: dnsTimeoutMs, tries: dnsTries })
    if (this.#servers.length > 0) resolver.setServers(this.#servers)
    const cancel = (): void => resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const answer = await ask(resolver)
      signal.throwIfAborted()
      return answer
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
}

interface Found {
  finding: Finding
  found: string[]
}

/** The record must stand in the domain's own zone: one that an alias leads to is whoever's that zone is. */
async function proofOf(resolver: Resolver, name: string, token: string): Promise<Found> {
  const at = `${proofLabel}.${below(name)}`
  const [alias, text] = await Promise.all([
    answers(() => resolver.resolveCname(at)),
    answers(() => resolver.resolveTxt(at)),
  ])
  if (alias.values.length > 0)
    return { finding: 'missing', found: alias.values.map((value) => `${at} CNAME ${plain(value)}`) }
  const values = text.values.map((parts) => parts.join(''))
  if (alias.known && values.includes(proofPrefix + token)) return { finding: 'found', found: [] }
  return {
    finding: alias.known && text.known ? 'missing' : 'unknown',
    found: values.map((value) => `${at} TXT ${value}`),
  }
}

async function addressOf(resolver: Resolver, name: string, edges: readonly string[]): Promise<Found> {
  const host = isWildcard(name) ? `${probeLabel}.${below(name)}` : name
  const [here, there] = await Promise.all([
    addresses(resolver, host),
    Promise.all(
      edges.map(async (edge) => (isIP(edge) === 0 ? addresses(resolver, edge) : { values: [edge], known: true })),
    ),
  ])
  const wanted = new Set(there.flatMap(({ values }) => values))
  if (here.values.some((address) => wanted.has(address))) return { finding: 'found', found: [] }
  const known = here.known && there.length > 0 && there.every((edge) => edge.known)
  return {
    finding: known ? 'missing' : 'unknown',
    found: here.values.map((address) => `${host} ${isIP(address) === 6 ? 'AAAA' : 'A'} ${address}`),
  }
}

async function addresses(resolver: Resolver, host: string): Promise<{ values: string[]; known: boolean }> {
  const [four, six] = await Promise.all([
    answers(() => resolver.resolve4(host)),
    answers(() => resolver.resolve6(host)),
  ])
  return { values: [...four.values, ...six.values], known: four.known && six.known }
}

/** `known` false: the DNS did not answer. That nothing is there is an answer. */
async function answers<T>(ask: () => Promise<T[]>): Promise<{ values: T[]; known: boolean }> {
  try {
    return { values: await ask(), known: true }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    return { values: [], known: code === 'ENODATA' || code === 'ENOTFOUND' }
  }
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '')

/** Any name below a wildcard is led to the same place. */
const probeLabel = 'pharos-check'

import { type Stats, unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { AgentIdentity, HostKind, TunnelGrant, UsageReport } from '../contract/edge.ts'
import { Slug } from '../contract/fields.ts'
import { protocolsOf, type TunnelRequest } from '../contract/tunnel.ts'
import type { Log } from '../lib/log.ts'
import { Queue } from '../lib/queue.ts'
import { hashSecret } from '../lib/secret.ts'
import { type ControlPlane, type EdgeOrders, Refusal } from './control-plane.ts'
import { portUrl } from './public-url.ts'
import { Reservations } from './reservations.ts'

/** How often the file is looked at: a removed token is cut off within a second. */
const lookEveryMs = 400

/** Short tokens can be guessed: 16 characters of a random generator cannot. */
const tokenLengthMin = 16

const Tokens = z.record(
  z.string().min(tokenLengthMin, `must have at least ${tokenLengthMin} characters`).max(512),
  Slug,
)

export interface TokensFileOptions {
  path: string
  dataDir: string
  ports: { first: number; last: number }
  host: string
  base: string
  /** What visitors of a host name use; known once the edge listens. */
  hostUrl: (kind: HostKind, host: string) => string
  orders: EdgeOrders
  log: Log
}

/**
 * The control plane of an edge that stands alone: a JSON file `{ "<token>": "<slug>" }`. It is read again when it changes; tokens
 * that are gone are cut off. A file that cannot be read later on changes nothing and is logged; at the start it is an error.
 */
export async function openTokensFile(options: TokensFileOptions): Promise<ControlPlane> {
  const { path, orders, log } = options
  const reservations = await Reservations.open(join(options.dataDir, 'reservations.json'), options.ports)
  let slugs = await readTokens(path)
  const reads = new Queue()
  const onChange = (now: Stats, before: Stats): void => {
    if (now.mtimeMs === before.mtimeMs && now.size === before.size && now.ino === before.ino) return
    void reads.run(async () => {
      let next: Map<string, string>
      try {
        next = await readTokens(path)
      } catch (error) {
        log.error(
          { path, problem: error instanceof Error ? error.message : String(error) },
          'the tokens file is not valid; the tokens known so far stay',
        )
        return
      }
      const gone = [...slugs].filter(([hash, slug]) => next.get(hash) !== slug)
      slugs = next
      for (const [hash] of gone) orders.revoke({ of: 'key', keyId: keyIdOf(hash) }, 'the token was removed')
      log.info({ path, tokens: next.size }, 'the tokens file was read again')
    })
  }
  watchFile(path, { interval: lookEveryMs, persistent: false }, onChange)

  return {
    async verify(credential) {
      // Looking up a hash takes a time that says nothing of the tokens themselves.
      const hash = hashSecret(credential)
      const slug = slugs.get(hash)
      if (slug === undefined) throw new Refusal('forbidden', 'This token is not in the edge’s tokens file.')
      return { kind: 'key', keyId: keyIdOf(hash), workspaceId: slug, slug }
    },

    async claim(agent: AgentIdentity, request: TunnelRequest): Promise<TunnelGrant> {
      if (agent.kind !== 'key' || request.kind === 'allocation')
        throw new Refusal('invalid', 'This edge has no panel, so there are no servers whose ports it could open.')
      const { slug } = agent
      const { name } = request
      const tunnelId = `${slug}/${name}`
      const shared = { tunnelId, workspaceId: slug, name }
      switch (request.kind) {
        case 'http':
        case 'tls':
        case 'minecraft': {
          const hosts = [`${name}.${slug}.${options.base}`, `${name}-${slug}.${options.base}`] as const
          return {
            ...shared,
            entrances: [{ kind: request.kind, hosts: [...hosts] }],
            url: options.hostUrl(request.kind, hosts[0]),
          }
        }
        case 'tcp':
        case 'udp':
        case 'tcp+udp': {
          const { kind, ports = 1 } = request
          const port = await reservations.ports(tunnelId, { port: request.port, ports })
          const entrances = protocolsOf(kind).map((protocol) => ({ kind: protocol, port, ports }))
          return { ...shared, entrances, url: portUrl(kind === 'udp' ? 'udp' : 'tcp', options.host, port, ports) }
        }
      }
    },

    // Nobody asks for usage here; the counters stay in their file.
    async report(_report: UsageReport) {
      return { rejected: [] }
    },

    async reportOpen() {},

    async drain() {},

    async [Symbol.asyncDispose]() {
      unwatchFile(path, onChange)
      await reads.idle()
    },
  }
}

const keyIdOf = (hash: string): string => `key_${hash.slice(0, 16)}`

/** The slug of each token's hash. The error names entries by their slug, never by the token. */
async function readTokens(path: string): Promise<Map<string, string>> {
  let raw: unknown
  try {
    raw = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    // A parser's message quotes the file, which holds secrets.
    if (error instanceof SyntaxError) throw new Error(`${path} is not JSON`)
    throw error
  }
  const parsed = Tokens.safeParse(raw)
  if (!parsed.success)
    throw new Error(
      `${path} must be an object of tokens (${tokenLengthMin} to 512 characters) and slugs (lower-case letters and digits)`,
    )
  return new Map(Object.entries(parsed.data).map(([token, slug]) => [hashSecret(token), slug]))
}

import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { lstat } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { AppError, conflict } from '../../contract/errors.ts'
import type { NodePull } from '../../contract/node-files.ts'
import type { Clock } from '../../lib/clock.ts'
import { newShortId } from '../../lib/ids.ts'
import { pullIdleMs, pullKeptMs, pullRedirectsMax, pullsMax } from './limits.ts'
import { openPlace, partsOf } from './place.ts'
import { exists, type ServerFiles } from './server-files.ts'

/** Fetches URLs into one server's files, a few at a time. */
export class Pulls implements AsyncDisposable {
  readonly #files: ServerFiles
  readonly #clock: Clock
  readonly #isReachable: (address: string) => boolean
  readonly #pulls = new Map<string, { pull: NodePull; endedAt: number | null }>()
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<void>>()

  /** @param isReachable which addresses may be dialled: public ones unless given. */
  constructor(files: ServerFiles, clock: Clock, isReachable: (address: string) => boolean = isPublicAddress) {
    this.#files = files
    this.#clock = clock
    this.#isReachable = isReachable
  }

  list(): NodePull[] {
    for (const [id, { endedAt }] of this.#pulls)
      if (endedAt !== null && this.#clock.now() - endedAt > pullKeptMs) this.#pulls.delete(id)
    return [...this.#pulls.values()].map(({ pull }) => pull)
  }

  /** Accepts or refuses at once; `list` tells what becomes of it. */
  async start(url: string, path: string): Promise<NodePull> {
    if (this.list().filter(({ state }) => state === 'running').length >= pullsMax)
      throw conflict(`${pullsMax} URLs are being fetched for this server; wait until one is done`)
    if (partsOf(path).length === 0) throw conflict('The file needs a name')
    {
      await using place = await openPlace(this.#files.root, path, { create: true })
      if (await lstat(place.path).catch(() => null)) throw exists(path)
    }
    const pull: NodePull = {
      id: newShortId(),
      file: path,
      state: 'running',
      bytesDone: 0,
      bytesTotal: null,
      message: null,
    }
    const entry = { pull, endedAt: null as number | null }
    this.#pulls.set(pull.id, entry)
    const work: Promise<void> = this.#fetch(pull, new URL(url), path)
      .then(
        () => {
          pull.state = 'done'
        },
        (error: unknown) => {
          pull.state = 'failed'
          pull.message = wordsOf(error)
        },
      )
      .finally(() => {
        entry.endedAt = this.#clock.now()
        this.#running.delete(work)
      })
    this.#running.add(work)
    return { ...pull }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(conflict('The node is stopping'))
    await Promise.all([...this.#running])
  }

  async #fetch(pull: NodePull, url: URL, path: string): Promise<void> {
    const response = await openUrl(url, this.#isReachable, this.#closing.signal)
    try {
      const length = Number(response.headers['content-length'])
      pull.bytesTotal = Number.isSafeInteger(length) && length >= 0 ? length : null
      const counted = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of response as AsyncIterable<Buffer>) {
          pull.bytesDone += chunk.length
          yield chunk
        }
      }
      await this.#files.write(path, counted(), { overwrite: false, expectedBytes: pull.bytesTotal ?? 0 })
    } finally {
      response.destroy()
    }
  }
}

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
  for (let redirects = 0; redirects <= pullRedirectsMax; redirects += 1) {
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
  throw conflict(`${first.host} redirects more than ${pullRedirectsMax} times`)
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
  const checked: LookupFunction = (name, options, done) => {
    lookupAll(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '')
      const addresses: LookupAddress[] = found.filter(({ address }) => isReachable(address))
      const [one] = addresses
      if (!one) return done(notPublic(url.host), '')
      if (options.all) done(null, addresses)
      else done(null, one.address, one.family)
    })
  }
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      agent: false,
      lookup: checked,
      signal,
      timeout: pullIdleMs,
      headers: { 'user-agent': 'pharos', accept: '*/*', 'accept-encoding': 'identity' },
    })
    request.on('response', resolve)
    request.on('error', reject)
    request.on('timeout', () => request.destroy(conflict(`${url.host} gave nothing for ${pullIdleMs / 1000} seconds`)))
    request.end()
  })
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

function wordsOf(error: unknown): string {
  if (error instanceof AppError) return error.message
  const { code, cause } = error as NodeJS.ErrnoException
  if (cause instanceof AppError) return cause.message
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'The name in the URL is not known'
  if (code === 'ECONNREFUSED') return 'Nothing listens at that URL'
  return 'The connection broke off'
}

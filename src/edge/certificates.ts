import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Log } from '../lib/log.ts'
import { Queue } from '../lib/queue.ts'
import { wildcardOf } from './routing.ts'

/** A certificate with its key, ready for TLS. */
export interface Certificate {
  readonly context: SecureContext
  /** Whether it is valid for this host, as `normalHost` gives it. */
  covers(host: string): boolean
}

export interface CertificatesOptions {
  /**
   * A PEM file, the certificate first and its chain behind it; or a folder of pairs: `<name>.pem` or `<name>.crt` with `<name>.key`, and folders
   * with `fullchain.pem` and `privkey.pem`.
   */
  certificate: string
  /** The PEM file of the key; none with a folder. */
  key: string | undefined
  log: Log
  lookEveryMs?: number
}

/**
 * The certificates that the operator gives, by host name. They are read again when the files change; of a pair that is broken then, the last one that
 * was right stays, and all others are renewed.
 */
export class Certificates implements AsyncDisposable {
  readonly #options: CertificatesOptions
  readonly #reads = new Queue()
  readonly #timer: NodeJS.Timeout
  #loaded: Loaded
  /** What the files looked like when they were last read, whether they were right or not. */
  #seen: string

  private constructor(options: CertificatesOptions, loaded: Loaded, seen: string) {
    this.#options = options
    this.#loaded = loaded
    this.#seen = seen
    this.#timer = setInterval(() => void this.#reads.run(() => this.#look()), options.lookEveryMs ?? lookEveryMs)
    this.#timer.unref()
  }

  /** @throws Error that names the file and what is to be done. */
  static async open(options: CertificatesOptions): Promise<Certificates> {
    const pairs = await pairsOf(options)
    const seen = await looks(pairs)
    const read = new Map<string, Read>()
    for (const pair of pairs) read.set(pair.certificate, await readPair(pair))
    return new Certificates(options, { ...byHost(read, options.log), read, problem: '' }, seen)
  }

  /** The certificate for a host; without one, as from visitors who name none, the first. */
  of(host: string | null): Certificate | undefined {
    const { byName, first } = this.#loaded
    return host === null ? first : (byName.get(host) ?? byName.get(wildcardOf(host)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#reads.idle()
  }

  async #look(): Promise<void> {
    const { log, certificate } = this.#options
    try {
      const pairs = await pairsOf(this.#options)
      const now = await looks(pairs)
      if (now === this.#seen) return
      this.#seen = now
      const read = new Map<string, Read>()
      const problems: string[] = []
      for (const pair of pairs)
        try {
          read.set(pair.certificate, await readPair(pair))
        } catch (error) {
          problems.push(wordsOf(error))
          const last = this.#loaded.read.get(pair.certificate)
          if (last) read.set(pair.certificate, last)
        }
      this.#loaded = { ...byHost(read, log), read, problem: this.#loaded.problem }
      log.info({ certificate, names: this.#loaded.byName.size }, 'the certificates were read again')
      this.#tell(problems.join(' '))
    } catch (error) {
      this.#tell(wordsOf(error))
    }
  }

  /** Each problem once, until there is another one. */
  #tell(problem: string): void {
    if (problem === this.#loaded.problem) return
    this.#loaded.problem = problem
    if (problem !== '')
      this.#options.log.error({ problem }, 'a certificate cannot be read again; the one known so far stays')
  }
}

/** A renewal is served seconds after it, long before the old one ends. */
const lookEveryMs = 2_000

/** A chain of a few certificates has some KiB. */
const fileBytesMax = 1_048_576

/** Pairs in a folder: each is parsed at every change, which takes about a millisecond. */
const pairsMax = 1_000

interface Loaded {
  byName: Map<string, Certificate>
  first: Certificate | undefined
  /** What was right the last time, by the certificate's file. */
  read: ReadonlyMap<string, Read>
  /** What was last said in the log of files that could not be read. */
  problem: string
}

/** A pair that is right. */
interface Read {
  certificate: Certificate
  names: Set<string>
  /** ms since 1970. */
  validTo: number
}

interface Pair {
  certificate: string
  key: string
}

async function pairsOf({ certificate, key }: CertificatesOptions): Promise<Pair[]> {
  if (key !== undefined) return [{ certificate, key }]
  const isFolder = await stat(certificate).then(
    (found) => found.isDirectory(),
    (error: Error) => {
      throw unreadable(certificate, error)
    },
  )
  if (!isFolder) throw new Error(`${certificate} is one certificate: say where its key is with --edge-certificate-key.`)
  const names = new Set(await readdir(certificate))
  const pairs: Pair[] = []
  for (const name of [...names].toSorted()) {
    const stem = name.replace(/\.(?:pem|crt)$/, '')
    if (stem !== name && names.has(`${stem}.key`))
      pairs.push({ certificate: join(certificate, name), key: join(certificate, `${stem}.key`) })
    else if (stem === name) {
      const inside = await readdir(join(certificate, name)).catch((): string[] => [])
      if (inside.includes('fullchain.pem') && inside.includes('privkey.pem'))
        pairs.push({
          certificate: join(certificate, name, 'fullchain.pem'),
          key: join(certificate, name, 'privkey.pem'),
        })
    }
  }
  if (pairs.length === 0)
    throw new Error(
      `${certificate} has no certificate with a key: put <name>.pem and <name>.key into it, or folders with fullchain.pem and privkey.pem.`,
    )
  if (pairs.length > pairsMax) throw new Error(`${certificate} has more than ${pairsMax} certificates.`)
  return pairs
}

/** Changes whenever a file does. */
async function looks(pairs: readonly Pair[]): Promise<string> {
  const files = pairs.flatMap(({ certificate, key }) => [certificate, key])
  const each = await Promise.all(
    files.map(async (path) => {
      const found = await stat(path).catch(() => null)
      if (found === null) return `${path} is gone`
      const { mtimeMs, size, ino } = found
      return `${path} ${mtimeMs} ${size} ${ino}`
    }),
  )
  return each.join('\n')
}

function byHost(read: ReadonlyMap<string, Read>, log: Log): Pick<Loaded, 'byName' | 'first'> {
  const byName = new Map<string, Certificate>()
  const ends = new Map<string, number>()
  let first: Certificate | undefined
  for (const [file, { certificate, names, validTo }] of read) {
    first ??= certificate
    if (validTo < Date.now())
      log.warn({ certificate: file, validTo: new Date(validTo) }, 'a certificate has expired: renew it')
    for (const name of names) {
      // Of two for one name the one that lasts longer is the renewed one.
      if ((ends.get(name) ?? 0) >= validTo) continue
      byName.set(name, certificate)
      ends.set(name, validTo)
    }
  }
  return { byName, first }
}

async function readPair(pair: Pair): Promise<Read> {
  const [certificatePem, keyPem] = await Promise.all([readPem(pair.certificate), readPem(pair.key)])
  let parsed: X509Certificate
  try {
    parsed = new X509Certificate(certificatePem)
  } catch {
    throw new Error(`${pair.certificate} is not a certificate in PEM: it must begin with -----BEGIN CERTIFICATE-----.`)
  }
  let fits: boolean
  try {
    fits = parsed.checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    throw new Error(`${pair.key} is not a private key in PEM without a passphrase.`)
  }
  if (!fits) throw new Error(`${pair.key} is not the key of ${pair.certificate}: give the two that belong together.`)
  const names = new Set(
    [...(parsed.subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(([, name = '']) => name.toLowerCase()),
  )
  if (names.size === 0)
    throw new Error(`${pair.certificate} names no host (subject alternative names): no browser would accept it.`)
  let context: SecureContext
  try {
    context = createSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' })
  } catch (error) {
    throw new Error(`${pair.certificate} cannot be used: ${error instanceof Error ? error.message : 'unknown reason'}.`)
  }
  const covers = (host: string): boolean => names.has(host) || names.has(wildcardOf(host))
  return { certificate: { context, covers }, names, validTo: Date.parse(parsed.validTo) }
}

async function readPem(path: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size > fileBytesMax) throw new Error('it is too large')
    return await readFile(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function unreadable(path: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const reason =
    code === 'ENOENT'
      ? 'it is not there'
      : code === 'EACCES'
        ? 'this user may not read it'
        : error instanceof Error
          ? error.message
          : 'unknown reason'
  return new Error(`${path} cannot be read: ${reason}. It was given with --edge-certificate or --edge-certificate-key.`)
}

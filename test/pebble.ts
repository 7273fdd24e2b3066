import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { z } from 'zod'
import { certificateFor } from '../src/edge/testing/certificates.ts'
import { AcmeHttp } from '../src/panel/domains/acme/http.ts'
import { patienceMs } from './patience.ts'
import { reservePorts } from './ports.ts'

/** Skips the test where Pebble is not installed, and says so; under CI=true that is a failure. */
export function needsPebble(t: Pick<TestContext, 'skip'>): boolean {
  try {
    execFileSync('which', ['pebble'], { stdio: 'ignore' })
    return true
  } catch (cause) {
    if (process.env.CI === 'true') throw new Error('Pebble is not installed', { cause })
    t.skip('Pebble is not installed: apt-get install pebble')
    return false
  }
}

export interface PebbleOptions {
  /** `address:port` of the name server that it asks. */
  dns: string
  /** Where it looks by HTTP-01 and TLS-ALPN-01. */
  httpPort: number
  tlsPort: number
  /** Of 100 good nonces it refuses so many. */
  noncesRefused?: number
  /** How long it takes to look, s; it does not wait without. */
  slowSeconds?: number
  /** How long its certificates last, s. */
  validSeconds?: number
}

/** Pebble: Let's Encrypt's own small certificate authority for tests, on loopback. */
export class TestPebble implements AsyncDisposable {
  readonly directory: string
  /** The root by which its directory is trusted, PEM; its certificates are of another one. */
  readonly root: string
  readonly #folder: string
  readonly #child: ReturnType<typeof spawn>
  #output = ''

  private constructor(folder: string, root: string, port: number, child: ReturnType<typeof spawn>) {
    this.#folder = folder
    this.root = root
    this.directory = `https://localhost:${port}/dir`
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
  }

  static async start(options: PebbleOptions): Promise<TestPebble> {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-test-pebble-'))
    const { first: port, last: managementPort } = await reservePorts(2)
    const { certificate, key } = await certificateFor(['localhost'])
    await writeFile(join(folder, 'certificate.pem'), certificate)
    await writeFile(join(folder, 'key.pem'), key)
    const config = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: join(folder, 'certificate.pem'),
      privateKey: join(folder, 'key.pem'),
      httpPort: options.httpPort,
      tlsPort: options.tlsPort,
      ocspResponderURL: '',
      externalAccountBindingRequired: false,
      certificateValidityPeriod: options.validSeconds ?? 90 * 86_400,
    }
    await writeFile(join(folder, 'config.json'), JSON.stringify({ pebble: config }))
    const child = spawn('pebble', ['-config', join(folder, 'config.json'), '-dnsserver', options.dns], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...(options.slowSeconds === undefined
          ? { PEBBLE_VA_NOSLEEP: '1' }
          : { PEBBLE_VA_SLEEPTIME: String(options.slowSeconds) }),
        PEBBLE_WFE_NONCEREJECT: String(options.noncesRefused ?? 5),
        PEBBLE_AUTHZREUSE: '0',
      },
    })
    const pebble = new TestPebble(folder, certificate, port, child)
    await pebble.#up()
    return pebble
  }

  /** What it has written: whom it looked at, and how. */
  get output(): string {
    return this.#output
  }

  /** How many orders it was given. */
  get orders(): number {
    return [...this.#output.matchAll(/Added order "/g)].length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve))
      this.#child.kill('SIGKILL')
      await ended
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #up(): Promise<void> {
    using http = new AcmeHttp(this.root)
    for (const end = performance.now() + patienceMs; ; ) {
      try {
        const { text } = await http.request('GET', this.directory, null, AbortSignal.timeout(1_000))
        z.object({ newOrder: z.string() }).parse(JSON.parse(text))
        return
      } catch (error) {
        if (performance.now() > end || this.#child.exitCode !== null)
          throw new Error(`Pebble did not start: ${this.#output}`, { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
}

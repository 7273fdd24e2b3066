import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Secret } from '../../src/lib/secret.ts'
import { patienceMs } from '../patience.ts'
import { reservePort } from '../ports.ts'

/** Skips the test where BIND is not installed, and says so; under CI=true that is a failure. */
export function needsNamed(t: Pick<TestContext, 'skip'>): boolean {
  try {
    execFileSync('named', ['-v'], { stdio: 'ignore' })
    return true
  } catch (cause) {
    if (process.env.CI === 'true') throw new Error('BIND is not installed', { cause })
    t.skip('BIND is not installed: apt-get install bind9')
    return false
  }
}

/** A real name server with one zone that takes signed updates of TXT records. */
export class TestNamed implements AsyncDisposable {
  readonly port: number
  readonly zone = 'acme.example.com'
  readonly keyName = 'pharos'
  readonly key: Secret
  readonly #folder: string
  readonly #child: ReturnType<typeof spawn>

  private constructor(folder: string, port: number, key: Secret) {
    this.#folder = folder
    this.port = port
    this.key = key
    this.#child = spawn('named', ['-c', join(folder, 'named.conf'), '-f', '-n', '1'], { stdio: 'ignore' })
  }

  static async start(): Promise<TestNamed> {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-test-named-'))
    const port = await reservePort()
    const key = new Secret(randomBytes(32).toString('base64'))
    await writeFile(
      join(folder, 'named.conf'),
      `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;
  pid-file none; session-keyfile "${folder}/session.key"; dnssec-validation no; allow-transfer { none; }; };
controls { };
key "pharos" { algorithm hmac-sha256; secret "${key.reveal()}"; };
zone "acme.example.com" { type primary; file "${folder}/zone"; update-policy { grant pharos subdomain acme.example.com TXT; }; };
`,
    )
    await writeFile(
      join(folder, 'zone'),
      '$TTL 60\n@ IN SOA ns.acme.example.com. host.example.com. 1 60 60 60 60\n@ IN NS ns\nns IN A 127.0.0.1\n',
    )
    const named = new TestNamed(folder, port, key)
    await named.#up()
    return named
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
    for (const end = performance.now() + patienceMs; ; ) {
      const up = await new Promise<boolean>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port: this.port })
        socket.once('error', () => resolve(false))
        socket.once('connect', () => {
          socket.destroy()
          resolve(true)
        })
      })
      if (up) return
      if (performance.now() > end || this.#child.exitCode !== null) throw new Error('named did not start')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

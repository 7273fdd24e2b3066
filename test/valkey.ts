import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Secret } from '../src/lib/secret.ts'
import { patienceMs } from './patience.ts'
import { reservePort } from './ports.ts'

const programs = ['valkey-server', 'redis-server'] as const

/** The Valkey or Redis of this machine, or null once the test has been skipped for lack of one; under CI=true that is a failure. */
export function valkeyProgram(t: Pick<TestContext, 'skip'>): string | null {
  for (const program of programs)
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' })
      return program
    } catch {
      // Perhaps the other one.
    }
  if (process.env.CI === 'true') throw new Error('neither valkey-server nor redis-server is installed')
  t.skip('neither valkey-server nor redis-server is installed: apt-get install redis-server')
  return null
}

/** A real Valkey on loopback with a password, which a test may kill, freeze and start again. */
export class TestValkey implements AsyncDisposable {
  readonly port: number
  readonly password = 'only for tests'
  readonly #program: string
  readonly #folder: string
  #process: ReturnType<typeof spawn> | null = null

  private constructor(program: string, folder: string, port: number) {
    this.#program = program
    this.#folder = folder
    this.port = port
  }

  static async start(program: string): Promise<TestValkey> {
    const valkey = new TestValkey(program, await mkdtemp(join(tmpdir(), 'pharos-test-valkey-')), await reservePort())
    await valkey.up()
    return valkey
  }

  url(password = this.password): Secret {
    return new Secret(`redis://:${encodeURIComponent(password)}@127.0.0.1:${this.port}`)
  }

  async up(): Promise<void> {
    this.#process = spawn(
      this.#program,
      ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--requirepass', this.password],
      { cwd: this.#folder, stdio: 'ignore' },
    )
    for (const end = performance.now() + patienceMs; ; ) {
      try {
        if ((await this.ask(['PING'])).includes('+PONG')) return
      } catch (error) {
        if (performance.now() > end) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async down(): Promise<void> {
    const running = this.#process
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill('SIGKILL')
    await ended
  }

  /** It holds its connections and answers nothing. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** What it answers to one command, as it stands on the wire. */
  ask(command: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: this.port })
      const wire = (words: readonly string[]): string =>
        `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
      let said = ''
      socket.setEncoding('utf8')
      socket.once('error', reject)
      socket.on('data', (text: string) => {
        said += text
      })
      socket.once('close', () => resolve(said.replace(/^\+OK\r\n/, '').replace(/\+OK\r\n$/, '')))
      socket.write(wire(['AUTH', this.password]) + wire(command) + wire(['QUIT']))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw()
    await this.down()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

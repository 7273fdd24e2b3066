import { execFileSync, spawn } from 'node:child_process'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createConnection } from 'mysql2/promise'
import { patienceMs } from './patience.ts'
import { reservePort } from './ports.ts'

/** Skips the test where MariaDB is not installed, and says so; under CI=true that is a failure. */
export function needsMariadb(t: TestContext): boolean {
  try {
    execFileSync('mariadbd', ['--no-defaults', '--version'])
    return true
  } catch (cause) {
    if (process.env.CI === 'true') throw new Error('MariaDB is not installed', { cause })
    t.skip('MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core')
    return false
  }
}

/** The user and group that own nothing, on every Linux: MariaDB refuses to run as root. */
const nobody = 65_534

/** A MariaDB on loopback as an operator has one, with an administrator who may come over TCP. */
export class TestMariadb implements AsyncDisposable {
  readonly port: number
  readonly user = 'admin'
  readonly password = 'the "admin"\'s password'
  readonly #folder: string
  #process: ReturnType<typeof spawn> | null = null

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.port = port
  }

  static async start(): Promise<TestMariadb> {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-test-mariadb-'))
    const mariadb = new TestMariadb(folder, await reservePort())
    if (asNobody.uid !== undefined) await chown(folder, nobody, nobody)
    execFileSync(
      'mariadb-install-db',
      ['--no-defaults', `--datadir=${folder}/db`, '--auth-root-authentication-method=normal', '--skip-test-db'],
      { ...asNobody, stdio: 'ignore' },
    )
    const quoted = mariadb.password.replaceAll("'", "''")
    await writeFile(
      join(folder, 'start.sql'),
      `CREATE USER IF NOT EXISTS '${mariadb.user}'@'127.0.0.1' IDENTIFIED BY '${quoted}';\nGRANT ALL ON *.* TO '${mariadb.user}'@'127.0.0.1' WITH GRANT OPTION;\n`,
      { mode: 0o644 },
    )
    await mariadb.up()
    return mariadb
  }

  /** Starts it again on its data. */
  async up(): Promise<void> {
    this.#process = spawn(
      'mariadbd',
      [
        '--no-defaults',
        `--datadir=${this.#folder}/db`,
        `--socket=${this.#folder}/sock`,
        `--port=${this.port}`,
        `--init-file=${this.#folder}/start.sql`,
        ...['--bind-address=127.0.0.1', '--skip-name-resolve', '--performance-schema=OFF'],
        ...['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M', '--innodb-flush-log-at-trx-commit=2'],
      ],
      { ...asNobody, stdio: 'ignore' },
    )
    for (const end = performance.now() + patienceMs; ; ) {
      try {
        return await this.query('select 1').then(() => undefined)
      } catch (error) {
        if (performance.now() > end) throw error
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
    }
  }

  async down(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const running = this.#process
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill(signal)
    await ended
  }

  /** Rows of one statement of the administrator. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    const { port, user, password } = this
    const connection = await createConnection({ host: '127.0.0.1', port, user, password })
    try {
      const [rows] = await connection.query(sql)
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : []
    } finally {
      await connection.end()
    }
  }

  /** Everything of ours on it: databases, and accounts as `user@host`. */
  async ours(): Promise<string[]> {
    const databases = await this.query('select schema_name as name from information_schema.schemata')
    const accounts = await this.query("select concat(user, '@', host) as name from mysql.user")
    return [...databases, ...accounts].map(({ name }) => String(name)).filter((name) => /^s[0-9a-f]{8}_/.test(name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/**
 * A way to a MariaDB that cuts the connection on which it hears a word: before that statement has got through, or after it was
 * carried out and before its answer has.
 */
export class CuttingProxy implements AsyncDisposable {
  readonly port: number
  /** Once: then everything passes again. */
  cut: { at: string; when: 'before' | 'after' } | null = null
  readonly #server: ReturnType<typeof createServer>
  readonly #sockets = new Set<Socket>()

  private constructor(port: number, server: ReturnType<typeof createServer>) {
    this.port = port
    this.#server = server
  }

  static async open(target: number): Promise<CuttingProxy> {
    const server = createServer((client) => proxy.#pass(client, connect({ host: '127.0.0.1', port: target })))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const proxy = new CuttingProxy(typeof address === 'object' && address ? address.port : 0, server)
    return proxy
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(client: Socket, server: Socket): void {
    let ending = false
    const end = (): void => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on('data', (bytes) => {
      const { cut } = this
      if (cut && bytes.includes(cut.at)) {
        this.cut = null
        if (cut.when === 'before') return end()
        ending = true
      }
      server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (ending) end()
      else client.write(bytes)
    })
  }
}

const asNobody: { uid?: number; gid?: number } = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

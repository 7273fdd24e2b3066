import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { conflict } from '../../contract/errors.ts'
import { backoffMs } from '../../lib/backoff.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import { Secret } from '../../lib/secret.ts'
import { type DatabaseServer, newDatabasePassword, openDatabaseServer } from '../../mysql/index.ts'
import { writeBeneath } from '../files/beneath.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { type Run, type Runtime, serverFiles } from '../runtime.ts'
import { whyPortTaken } from '../supervisor/ports.ts'
import type { MariadbPrograms } from './installed.ts'
import { cpuCores, memoryBytes, portAttemptsMax, readyPollMs, restartBackoff, steadyMs, stopWaitMs } from './limits.ts'
import { type MariadbRecord, readMariadbRecord, writeMariadbRecord } from './record.ts'

export interface MariadbOptions {
  /** The node's own. */
  dataDir: string
  runtime: Runtime
  programs: MariadbPrograms
  log: Log
  /** Which ports it may have, both ends included. */
  ports: { first: number; last: number }
  /** How long a caller waits for it to be ready, in ms. */
  startWaitMs: number
}

/** A MariaDB that runs. */
export interface RunningMariadb {
  port: number
  server: DatabaseServer
}

/** Only it listens there, so nothing from another machine ever gets a word in. */
export const loopback = '127.0.0.1'

/**
 * The MariaDB of this node, for the games of this machine alone: on loopback, under a user of its own, in the same sandbox and
 * with the same guarantees as a server. It outlives this process and is found again; once there are databases it is started
 * again whenever it ends. Its folder lies beside the servers', so that no server gets its user id.
 *
 * Nobody but the node can administer it: every start begins, before it listens to anybody, by removing whatever other way in an
 * installation brings along, and by setting the administrator's password.
 */
export class Mariadb implements AsyncDisposable {
  readonly #options: MariadbOptions
  readonly #folder: string
  readonly #recordPath: string
  readonly #queue = new Queue()
  readonly #closing = new AbortController()
  #record: MariadbRecord | null
  #running: Running | null = null
  #keeping: Promise<void> | null = null

  private constructor(options: MariadbOptions, recordPath: string, record: MariadbRecord | null) {
    this.#options = options
    this.#folder = join(options.dataDir, 'servers', 'mariadb')
    this.#recordPath = recordPath
    this.#record = record
  }

  /** One that should run is found, or started in the background. */
  static async open(options: MariadbOptions): Promise<Mariadb> {
    const recordPath = join(options.dataDir, 'mariadb.json')
    const mariadb = new Mariadb(options, recordPath, await readMariadbRecord(recordPath))
    if (mariadb.wanted) mariadb.#keepRunning(0)
    return mariadb
  }

  /** Whether there may be databases. */
  get wanted(): boolean {
    return this.#record?.wanted ?? false
  }

  /** Null while it is not known to run. */
  get running(): RunningMariadb | null {
    return this.#running?.mariadb ?? null
  }

  /**
   * It runs when this resolves: found again, or installed, set up and started as that is needed. From then on it is kept running.
   * Throws `conflict` with the reason.
   */
  ensure(): Promise<RunningMariadb> {
    return this.#queue.run(async () => {
      const running = this.#running?.mariadb ?? (await this.#find()) ?? (await this.#start())
      if (!this.wanted) await this.#keep({ wanted: true })
      return running
    })
  }

  /** Ends it in an orderly way and leaves it so: for when there are no databases. */
  stop(): Promise<void> {
    return this.#queue.run(async () => {
      const running = this.#running
      if (!running) return
      this.#running = null
      await this.#keep({ wanted: false })
      await running.folder.close()
      await running.run.signal('SIGTERM')
      const timer = new AbortController()
      const late = sleep(stopWaitMs, 'late' as const, { signal: timer.signal }).catch(() => null)
      if ((await Promise.race([running.run.ended, late])) === 'late') await running.run.kill()
      timer.abort()
    })
  }

  /** Stops looking after it; it goes on by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#keeping
    await this.#queue.idle()
    this.#running?.run.forget()
    await this.#running?.folder.close()
    this.#running = null
  }

  async #find(): Promise<RunningMariadb | null> {
    const record = this.#record
    if (!record?.initialised || record.port === null) return null
    const found = await this.#options.runtime.find(this.#folder)
    return found && 'ended' in found ? this.#ready(found, record.port) : null
  }

  async #start(): Promise<RunningMariadb> {
    const { runtime, programs } = this.#options
    await programs.ensure()
    this.#record ??= {
      version: 1,
      password: newDatabasePassword().reveal(),
      port: null,
      initialised: false,
      wanted: false,
    }
    await this.#keep({})
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    // What an earlier life began and did not finish.
    await runtime.sweep(this.#folder)
    if (!this.#record.initialised) await this.#initialise()
    for (let attempt = 1; ; attempt += 1) {
      const port = await this.#choosePort(attempt)
      await this.#keep({ port })
      try {
        return await this.#ready(await this.#launch(daemon(this.#home, port)), port)
      } catch (error) {
        const taken = /Bind on TCP\/IP port|Address already in use/.test(await this.#output())
        if (!taken || this.wanted || attempt === portAttemptsMax) throw error
      }
    }
  }

  async #initialise(): Promise<void> {
    this.#options.log.info('setting up MariaDB for the databases of servers')
    // A set-up that was cut off leaves a folder that would be taken for a whole one.
    const data = join(this.#folder, serverFiles.data)
    await rm(data, { recursive: true, force: true })
    const run = await this.#launch([
      'mariadb-install-db',
      '--no-defaults',
      `--datadir=${this.#home}/${files.data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ])
    const { code } = await run.ended
    if (code !== 0) throw conflict(`MariaDB could not be set up on this node: ${await this.#lastWords()}`)
    await this.#keep({ initialised: true })
  }

  async #choosePort(attempt: number): Promise<number> {
    const kept = this.#record?.port ?? null
    if (this.wanted && kept !== null) {
      if ((await whyPortTaken(kept, 'tcp')) === null) return kept
      throw conflict(`Port ${kept} of this node's databases is used by another program: stop that one.`)
    }
    const { first, last } = this.#options.ports
    const ports = Array.from({ length: last - first + 1 }, (_, index) => first + index)
    if (kept !== null && attempt === 1) ports.unshift(kept)
    for (const port of ports) if ((await whyPortTaken(port, 'tcp')) === null) return port
    throw conflict(`No port from ${first} to ${last} is free for databases on this node.`)
  }

  async #launch(command: string[]): Promise<Run> {
    const { runtime } = this.#options
    const owner = await runtime.prepare(this.#folder)
    await writeBeneath(join(this.#folder, serverFiles.data), files.start, startSql(this.#password()), {
      owner,
      once: false,
    })
    await writeFile(join(this.#folder, serverFiles.log), '', { mode: 0o600 })
    const { PATH, LANG } = toolEnvironment
    return runtime.start({
      folder: this.#folder,
      command,
      environment: { PATH, LANG, HOME: this.#home },
      limits: { memoryBytes, cpuCores },
      shared: null,
    })
  }

  /** Waits until it answers. One that takes too long goes on starting, and is found by the next who asks. */
  async #ready(run: Run, port: number): Promise<RunningMariadb> {
    let over = false
    void run.ended.then(() => {
      over = true
    })
    const deadline = performance.now() + this.#options.startWaitMs
    while (performance.now() < deadline && !this.#closing.signal.aborted) {
      if (over) throw conflict(`MariaDB ended on this node as soon as it was started: ${await this.#lastWords()}`)
      const mariadb = await this.#reach(run, port)
      if (mariadb) return mariadb
      await sleep(readyPollMs)
    }
    run.forget()
    throw conflict('MariaDB is still starting on this node. Try again in a moment.')
  }

  async #reach(run: Run, port: number): Promise<RunningMariadb | null> {
    const path = join(this.#folder, serverFiles.data, files.data)
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
    const folder = await open(path, flags).catch(() => null)
    if (!folder) return null
    const server = openDatabaseServer({
      label: 'MariaDB of this node',
      // The path of a socket has at most 107 bytes, of which a data folder may need more by itself.
      at: { socketPath: `/proc/self/fd/${folder.fd}/${files.socket}` },
      user: 'root',
      password: this.#password(),
    })
    try {
      await server.sizes(['s00000000_ready'])
    } catch {
      await folder.close()
      return null
    }
    const running = { run, folder, mariadb: { port, server } }
    this.#running = running
    const since = performance.now()
    void run.ended.then(async ({ code, signal, outOfMemory }) => {
      if (this.#running !== running) return
      this.#running = null
      await folder.close()
      this.#options.log.error({ code, signal, outOfMemory }, 'MariaDB of the databases of servers ended by itself')
      this.#keepRunning(performance.now() - since > steadyMs ? 0 : 1)
    })
    return running.mariadb
  }

  /** Starts it until it runs, while it should. Pauses grow from the second attempt on. */
  #keepRunning(attempt: number): void {
    this.#keeping ??= this.#tryUntilItRuns(attempt).finally(() => {
      this.#keeping = null
    })
  }

  async #tryUntilItRuns(first: number): Promise<void> {
    const { signal } = this.#closing
    for (let attempt = first; ; attempt += 1) {
      if (attempt > 0) await sleep(backoffMs(attempt - 1, restartBackoff), undefined, { signal }).catch(() => undefined)
      if (signal.aborted || !this.wanted) return
      try {
        await this.ensure()
        return
      } catch (error) {
        this.#options.log.warn({ err: error }, 'MariaDB of the databases of servers could not be started')
      }
    }
  }

  /** Its folder as it sees it. */
  get #home(): string {
    return this.#options.runtime.places({ folder: this.#folder, shared: null }).home
  }

  #password(): Secret {
    if (!this.#record) throw new Error('MariaDB was never set up')
    return new Secret(this.#record.password)
  }

  async #keep(change: Partial<MariadbRecord>): Promise<void> {
    if (!this.#record) throw new Error('MariaDB was never set up')
    const record = { ...this.#record, ...change }
    await writeMariadbRecord(this.#recordPath, record)
    this.#record = record
  }

  #output(): Promise<string> {
    return readFile(join(this.#folder, serverFiles.log), 'utf8')
  }

  async #lastWords(): Promise<string> {
    const lines = (await this.#output()).trim().split('\n')
    const line = lines.findLast((text) => text.includes('[ERROR]')) ?? lines.at(-1) ?? ''
    return lastWordsOf(line)
  }
}

interface Running {
  run: Run
  /** Open for as long as the socket in it is used. */
  folder: FileHandle
  mariadb: RunningMariadb
}

/** Files of it, in its `data/`. */
const files = { data: 'db', socket: 'mariadb.sock', start: 'start.sql' } as const

/** Removes each account that an installation brings along but its administrator; the last statement lets the node in. */
const startSql = (password: Secret): string =>
  [
    `DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');`,
    `DELETE FROM mysql.proxies_priv;`,
    'FLUSH PRIVILEGES;',
    `ALTER USER 'root'@'localhost' IDENTIFIED BY '${password.reveal()}';`,
    '',
  ].join('\n')

/** Small, quiet, on loopback alone, and nothing of the machine's own settings. */
const daemon = (home: string, port: number): string[] => [
  'mariadbd',
  '--no-defaults',
  `--datadir=${home}/${files.data}`,
  `--tmpdir=${home}`,
  // Relative to the data folder: an absolute path may be longer than a socket's can be.
  `--socket=${files.socket}`,
  `--init-file=${home}/${files.start}`,
  `--bind-address=${loopback}`,
  `--port=${port}`,
  '--skip-name-resolve',
  '--skip-symbolic-links',
  '--local-infile=0',
  '--skip-log-bin',
  '--character-set-server=utf8mb4',
  '--performance-schema=OFF',
  '--innodb-buffer-pool-size=64M',
  '--innodb-log-file-size=16M',
  // One server's queries must not fill the disk with temporary tables.
  '--innodb-temp-data-file-path=ibtmp1:12M:autoextend:max:1G',
  '--max-connections=400',
  // All games come from one address: one that knocks wrongly must not lock out the others.
  '--max-connect-errors=4294967295',
  '--connect-timeout=5',
  // Refused passwords are not logged: whoever tries them could fill the disk.
  '--log-warnings=0',
]

/** How much of its own words reaches a person, in characters. */
const lastWordsMax = 300

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const lastWordsOf = (line: string): string => line.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, lastWordsMax)

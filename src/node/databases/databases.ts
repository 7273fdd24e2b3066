import { DatabaseKey } from '../../contract/database-names.ts'
import type { DatabaseAddress } from '../../contract/node-databases.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { Secret } from '../../lib/secret.ts'
import {
  type CopyItem,
  type DatabaseServer,
  type DatabaseSummer,
  type GameDatabase,
  writeDatabase,
} from '../../mysql/index.ts'
import type { DebianPackages } from '../install/debian.ts'
import type { Runtime } from '../runtime.ts'
import { createMariadbPrograms } from './installed.ts'
import { usualPorts, startWaitMs as usualStartWaitMs } from './limits.ts'
import { loopback, Mariadb } from './mariadb.ts'

/** The databases of this machine's games. Each call throws `conflict` with words for people where it cannot be done. */
export interface Databases extends AsyncDisposable {
  has(database: string): Promise<boolean>
  create(what: GameDatabase, password: Secret): Promise<DatabaseAddress>
  setPassword(what: GameDatabase, password: Secret): Promise<void>
  drop(what: GameDatabase): Promise<void>
  sizes(databases: readonly string[]): Promise<Map<string, number>>
  /** Installs what is needed where it is missing. Nothing is started. */
  ready(): Promise<void>
  /** Everything that makes it again elsewhere. */
  read(database: string, summer: DatabaseSummer): AsyncGenerator<CopyItem, void, void>
  /** Puts what was read elsewhere into one that is new. */
  write(what: GameDatabase, password: Secret, items: AsyncIterable<CopyItem>, signal: AbortSignal): Promise<void>
  /** Connections that are open now to databases of this server. */
  connections(server: string): Promise<number>
  /** Removes all databases and accounts of this server. */
  dropAllOf(server: string): Promise<void>
}

export interface DatabasesOptions {
  dataDir: string
  runtime: Runtime
  debian: DebianPackages
  log: Log
  isRoot?: boolean
  /** Where MariaDB's programs are looked for: the system's folders unless given. */
  programFolders?: readonly string[]
  /** The ports that MariaDB may have, both ends included: the usual ones unless given. */
  ports?: { first: number; last: number }
  /** How long a caller waits for it to be ready, in ms: the usual time unless given. */
  startWaitMs?: number
}

/** Without any database there is no MariaDB: it is installed and started for the first one, and ends with the last one. */
export async function openDatabases(options: DatabasesOptions): Promise<Databases> {
  const { dataDir, runtime, debian, log, isRoot = process.getuid?.() === 0, programFolders } = options
  const { ports = usualPorts, startWaitMs = usualStartWaitMs } = options
  await using closer = new AsyncDisposableStack()
  const programs = closer.use(createMariadbPrograms({ debian, log, isRoot, folders: programFolders }))
  const mariadb = closer.use(await Mariadb.open({ dataDir, runtime, programs, log, ports, startWaitMs }))
  /** Changes come one at a time: a drop finds what was made before it, and the last one of all is known. */
  const changes = new Queue()
  closer.defer(() => changes.idle())
  const opened = closer.move()
  const endWithTheLast = async (server: DatabaseServer): Promise<void> => {
    if ((await server.names()).every((name) => !DatabaseKey.safeParse(name).success)) await mariadb.stop()
  }
  return {
    // Where it was never needed there is nothing, which is known without starting it.
    has: (database) => changes.run(async () => mariadb.wanted && (await mariadb.ensure()).server.has(database)),
    create: (what, password) =>
      changes.run(async () => {
        const { server, port } = await mariadb.ensure()
        await server.create(within(what), password)
        return { host: loopback, port }
      }),
    setPassword: (what, password) =>
      changes.run(async () => (await mariadb.ensure()).server.setPassword(within(what), password)),
    drop: (what) =>
      changes.run(async () => {
        if (!mariadb.wanted) return
        const { server } = await mariadb.ensure()
        await server.drop(within(what))
        await endWithTheLast(server)
      }),
    sizes: async (databases) => mariadb.running?.server.sizes(databases) ?? new Map(),
    ready: () => programs.ensure(),
    async *read(database, summer) {
      yield* (await mariadb.ensure()).server.read(database, summer)
    },
    async write(what, secret, items, signal) {
      const { server, port } = await mariadb.ensure()
      await server.admitLong()
      await writeDatabase({ label: 'MariaDB of this node', port, what: within(what), secret }, items, signal)
    },
    connections: async (server) => (await mariadb.ensure()).server.connections(prefixOf(server)),
    dropAllOf: (id) =>
      changes.run(async () => {
        if (!mariadb.wanted) return
        const { server } = await mariadb.ensure()
        await server.dropAll(prefixOf(id))
        await endWithTheLast(server)
      }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** What the names of a server's databases and accounts begin with. */
const prefixOf = (server: string): string => `s${server}_`

/** Games come over TCP from this machine; the name `localhost` would mean the socket, which they do not have. */
const within = (what: GameDatabase): GameDatabase =>
  what.remote === 'localhost' ? { ...what, remote: loopback } : what

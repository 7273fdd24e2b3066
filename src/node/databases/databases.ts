import { DatabaseKey } from '../../contract/database-names.ts'
import type { DatabaseAddress } from '../../contract/node-databases.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import type { Secret } from '../../lib/secret.ts'
import type { GameDatabase } from '../../mysql/index.ts'
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
        if ((await server.names()).every((name) => !DatabaseKey.safeParse(name).success)) await mariadb.stop()
      }),
    sizes: async (databases) => mariadb.running?.server.sizes(databases) ?? new Map(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Games come over TCP from this machine; the name `localhost` would mean the socket, which they do not have. */
const within = (what: GameDatabase): GameDatabase =>
  what.remote === 'localhost' ? { ...what, remote: loopback } : what

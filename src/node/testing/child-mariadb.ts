import { silentLog } from '../../lib/log.ts'
import { newDatabasePassword } from '../../mysql/index.ts'
import { openDatabases } from '../databases/index.ts'
import { createDebianPackages } from '../install/debian.ts'
import { openTestRuntime } from './world.ts'

/** Makes the first database of a node in a process of its own, which a test kills. The arguments are the data folder, a name, and the ports as JSON. */
const [dataDir, database, ports] = process.argv.slice(2)
if (dataDir === undefined || database === undefined || ports === undefined)
  throw new Error('Needs a data folder, a name, and ports')
const runtime = await openTestRuntime(dataDir, {})
const databases = await openDatabases({
  dataDir,
  runtime,
  debian: createDebianPackages(),
  log: silentLog,
  ports: JSON.parse(ports),
})
const user = `${database.slice(0, 9)}_abcdefghijkl`
await databases.create({ database, user, remote: '127.0.0.1' }, newDatabasePassword())
process.exit(0)

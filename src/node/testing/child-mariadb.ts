import { silentLog } from '../../lib/log.ts'
import { newDatabasePassword } from '../../mysql/index.ts'
import { openDatabases } from '../databases/index.ts'
import { createDebianPackages } from '../install/debian.ts'
import { openTestRuntime } from './world.ts'

/** Makes the first database of a node in a process of its own, which a test kills. The arguments are the data folder and a name. */
const [dataDir, database] = process.argv.slice(2)
if (dataDir === undefined || database === undefined) throw new Error('Needs a data folder and a name')
const runtime = await openTestRuntime(dataDir, {})
const databases = await openDatabases({ dataDir, runtime, debian: createDebianPackages(), log: silentLog })
const user = `${database.slice(0, 9)}_abcdefghijkl`
await databases.create({ database, user, remote: '127.0.0.1' }, newDatabasePassword())
process.exit(0)

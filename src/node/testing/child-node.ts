import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { createDebianPackages } from '../install/debian.ts'
import { openSharedPackages } from '../install/packages.ts'
import { noQuotas } from '../quota/index.ts'
import { findNodeTools } from '../runtime/node-tools.ts'
import { openServers } from '../supervisor/servers.ts'
import { openTestRuntime } from './world.ts'

// A node in a process of its own, for tests that kill it: takes the data folder and the runtime, then obeys messages.
const [dataDir = '', runtimeName] = process.argv.slice(2)
const runtime = await openTestRuntime(dataDir, { runtime: runtimeName === 'process' ? 'process' : 'sandbox' })
const packages = await openSharedPackages(join(dataDir, 'packages'), await findNodeTools())
const servers = await openServers({
  quotas: noQuotas('not asked for'),
  dataDir,
  runtime,
  packages,
  debian: createDebianPackages(),
  clock: systemClock,
  log: silentLog,
})
servers.events.on((event) => process.send?.(event))
process.on('message', async (message: { spec?: never; id?: string; action?: 'start' | 'stop'; command?: string }) => {
  if (message.spec) await servers.put(message.spec)
  if (message.id && message.action) await servers.get(message.id).power(message.action)
  if (message.id && message.command) await servers.get(message.id).command(message.command)
})
process.send?.({ type: 'open' })

import { join } from 'node:path'
import type { Log } from '../../lib/log.ts'
import type { NodeFiles } from '../files/index.ts'
import type { Servers } from '../supervisor/servers.ts'
import type { SftpConfig } from './config.ts'
import { Doors } from './doors.ts'
import { Growths } from './growth.ts'
import { openHostKey } from './host-key.ts'
import { type Listener, listen } from './listener.ts'
import { Sessions } from './sessions.ts'

/** SFTP of this node. */
export interface Sftp extends AsyncDisposable {
  readonly port: number
  readonly address: { host: string; port: number } | null
  readonly fingerprint: string
  readonly doors: Doors
  readonly sessions: Sessions
}

/** Serves SFTP; null, with a word in the log, where its port is taken: everything else works without it. */
export async function openSftp(options: {
  dataDir: string
  config: SftpConfig
  servers: Servers
  files: Pick<NodeFiles, 'of'>
  log: Log
}): Promise<Sftp | null> {
  const { config, servers, files, log } = options
  const hostKey = await openHostKey(join(options.dataDir, 'sftp', 'host-key'))
  const doors = new Doors()
  const sessions = new Sessions(doors)
  const world = { doors, sessions, filesOf: (server: string) => files.of(server), growths: new Growths(), log }
  let listener: Listener
  try {
    listener = await listen({ host: config.host, port: config.port, hostKey, world, log })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'something else uses it' : (code ?? String(error))
    log.warn(
      `SFTP cannot listen on port ${config.port} of ${config.host}: ${why}. The node serves without it; --sftp-port takes another one, or none.`,
    )
    return null
  }
  const stop = servers.events.on((event) => {
    if (event.type === 'removed') sessions.endAll('The server was deleted.', event.id)
    // What is open belongs to files that are about to be replaced.
    if (event.type === 'state' && event.state.phase === 'restoring')
      sessions.endAll('A backup is being restored into the server.', event.state.id)
  })
  return {
    port: listener.port,
    address: config.address && { host: config.address.host, port: config.address.port ?? listener.port },
    fingerprint: hostKey.fingerprint,
    doors,
    sessions,
    async [Symbol.asyncDispose]() {
      stop()
      sessions.endAll('The node is stopping.')
      await listener[Symbol.asyncDispose]()
    },
  }
}

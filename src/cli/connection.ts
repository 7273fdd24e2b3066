import { createClient, openSocket } from '../client/index.ts'
import { apiPrefix, publicOperations, publicSockets } from '../contract/api/index.ts'
import { Secret } from '../lib/secret.ts'
import { readAccount } from './account.ts'
import { CommandError, type Connection } from './command.ts'
import { configHome, type Environment } from './surroundings.ts'

/**
 * Variables that say whom to talk to, and with what; they win over the account file. What `pharos run` starts has its tunnel's address in
 * `PHAROS_URL`, and the panel's in `PHAROS_PANEL_URL`.
 */
export const accountVariables = ['PHAROS_PANEL_URL', 'PHAROS_URL', 'PHAROS_API_KEY', 'PHAROS_TUNNEL_HOST'] as const

/**
 * The panel that commands talk to: `PHAROS_URL` and `PHAROS_API_KEY` (or `BEAMD_API_KEY`), else the account file.
 * Throws a `CommandError` that says how to get a key.
 */
export async function connect(env: Environment): Promise<Connection> {
  const envKey = env.PHAROS_API_KEY || env.BEAMD_API_KEY
  const named = env.PHAROS_PANEL_URL || env.PHAROS_URL
  const saved = named && envKey ? null : await readAccount(configHome(env))
  const url = named || saved?.url
  // A key of one panel is never sent to another one: with an address of its own the environment gives the key, too.
  const key = envKey ? new Secret(envKey) : named && named !== saved?.url ? undefined : saved?.key
  if (!url)
    throw new CommandError(
      'No panel is known. Run "pharos setup" or "pharos use <url>", or set PHAROS_URL and PHAROS_API_KEY.',
    )
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new CommandError('PHAROS_URL must begin with http:// or https://, such as http://127.0.0.1:4600.')
  if (!key) throw new CommandError(`No API key for ${url}. Set PHAROS_API_KEY, or run "pharos use ${url}".`)
  return connectTo(url, key)
}

/** A connection to the panel at `url`; nothing is sent yet. */
export function connectTo(url: string, key: Secret): Connection {
  const baseUrl = url.replace(/\/+$/, '') + apiPrefix
  return {
    url,
    key,
    client: createClient(publicOperations, { baseUrl, token: key.reveal() }),
    serverEvents: (args, signal) =>
      openSocket(publicSockets.serverEvents, args, { baseUrl, token: key.reveal(), signal }),
  }
}

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

/** The API key that the environment gives, and under which name: of both `PHAROS_API_KEY` wins. */
export function keyOfEnvironment(env: Environment): { name: string; key: Secret } | null {
  for (const name of ['PHAROS_API_KEY', 'BEAMD_API_KEY']) {
    const key = env[name]
    if (key) return { name, key: new Secret(key) }
  }
  return null
}

/** The panel that the environment names. */
export const panelOfEnvironment = (env: Environment): string | undefined =>
  env.PHAROS_PANEL_URL || env.PHAROS_URL || undefined

/**
 * The panel that commands talk to: `PHAROS_URL` and `PHAROS_API_KEY` (or `BEAMD_API_KEY`), else the account file.
 * Throws a `CommandError` that says how to get a key.
 */
export async function connect(env: Environment): Promise<Connection> {
  const envKey = keyOfEnvironment(env)?.key
  const named = panelOfEnvironment(env)
  const saved = named && envKey ? null : await readAccount(configHome(env))
  const url = named || saved?.url
  // A key of one panel is never sent to another one: with an address of its own the environment gives the key, too.
  const key = envKey ? envKey : named && named !== saved?.url ? undefined : saved?.key
  if (!url)
    throw new CommandError(
      'No panel is known. Run "pharos login --panel <url>", "pharos setup" on the machine of a new panel, or set PHAROS_URL and PHAROS_API_KEY.',
    )
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new CommandError('PHAROS_URL must begin with http:// or https://, such as http://127.0.0.1:4600.')
  if (!key) throw new CommandError(`No API key for ${url}. Run "pharos login --panel ${url}", or set PHAROS_API_KEY.`)
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

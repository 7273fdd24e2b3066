import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { EdgeSettings, NodeSettings, PanelSettings, UpSettings } from '../settings/roles.ts'
import type { Streams } from './output.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Everything the command line knows of the world: given by `main.ts`, replaced by tests. */
export interface Surroundings {
  env: Environment
  cwd: string
  /** The folder of the program: a clone, or the installed package. */
  root: string
  streams: Streams
  stdin: Readable & { isTTY?: boolean }
  /** How this program is started again: a runtime and the file it runs. Only the background agent is. */
  self?: readonly string[]
  /** Aborted by the first Ctrl-C or SIGTERM. */
  signal: AbortSignal
  roles: Roles
}

/** The long-running parts, started by `main.ts` so that the command line needs none of them. */
export interface Roles {
  up(settings: WithDataDir<UpSettings>, session: RoleSession): Promise<void>
  panel(settings: WithDataDir<PanelSettings>, session: RoleSession): Promise<void>
  node(settings: WithDataDir<NodeSettings>, session: RoleSession): Promise<void>
  joinNode(settings: WithDataDir<NodeSettings>, token: string, session: RoleSession): Promise<void>
  edge(settings: WithDataDir<EdgeSettings>, session: RoleSession): Promise<void>
}

export type WithDataDir<S> = Omit<S, 'dataDir'> & { dataDir: string }

/** How a role is told to end and what it says to the person who started it. */
export interface RoleSession {
  signal: AbortSignal
  /** The templates and other data files of the program. */
  root: string
  say(line: string): void
}

/** Where this user's configuration lives. */
export const configHome = (env: Environment): string => env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config')

/** Where what this user's programs remember between runs lives. */
export const stateHome = (env: Environment): string =>
  env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state')

/** The data folder unless another is named: in a clone its own `data/`, for an installed program the user's. */
export const defaultDataDir = ({ root, env }: Pick<Surroundings, 'root' | 'env'>): string =>
  /[\\/]node_modules[\\/]/.test(root)
    ? join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share'), 'pharos')
    : join(root, 'data')

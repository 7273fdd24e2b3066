import { hash } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../lib/folder-lock.ts'
import { CommandError } from '../command.ts'

/** Where the background agent of a user has its files. Nobody else may look inside. */
export interface BackgroundFolder {
  path: string
  /** Its local API; may lie elsewhere where the folder's path is too long for one. */
  socket: string
  /** What has happened: one JSON value a line. */
  log: string
  /** The tunnels that come back when the agent does. */
  kept: string
  /** What it said when it could not start. */
  errors: string
}

/** Systems take 108 bytes for the address of a socket, macOS 104, its end included. */
const socketBytesMax = 100

/**
 * Where the files are, whether there are any yet or not. Throws a `CommandError` where the folder, or the socket's, is there and anybody
 * else could look inside.
 */
export async function backgroundFolder(stateHome: string): Promise<BackgroundFolder> {
  const { path, socket } = placesIn(stateHome)
  await checkPrivate(path)
  await checkPrivate(dirname(socket))
  return {
    path,
    socket,
    log: join(path, 'agent.log'),
    kept: join(path, 'kept.json'),
    errors: join(path, 'agent.err'),
  }
}

/** The same, and makes the folders. */
export async function madeBackgroundFolder(stateHome: string): Promise<BackgroundFolder> {
  const { path, socket } = placesIn(stateHome)
  for (const folder of [path, dirname(socket)])
    try {
      await makeFolder(folder)
    } catch (error) {
      throw new CommandError(
        `The background agent needs the folder ${folder}, which cannot be made: ${(error as Error).message}. XDG_STATE_HOME names another place.`,
      )
    }
  return await backgroundFolder(stateHome)
}

function placesIn(stateHome: string): { path: string; socket: string } {
  const path = join(stateHome, 'pharos', 'agent')
  const socket = join(path, 'agent.sock')
  if (Buffer.byteLength(socket) <= socketBytesMax) return { path, socket }
  const other = join(tmpdir(), `pharos-${process.getuid?.() ?? 0}-${hash('sha256', path).slice(0, 16)}`)
  return { path, socket: join(other, 'agent.sock') }
}

async function checkPrivate(path: string): Promise<void> {
  // A link to somewhere else, or a folder that was there before us.
  const found = await lstat(path).catch(() => null)
  if (!found) return
  const mine = process.getuid === undefined || found.uid === process.getuid()
  if (!found.isDirectory() || !mine || (found.mode & 0o077) !== 0)
    throw new CommandError(
      `The folder ${path} must be yours and closed to others, since API keys pass through it. Look at it, then: chmod 700 ${path}`,
    )
}

import { hash } from 'node:crypto'
import { lstat, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** Makes the folder where it is missing. Throws a `CommandError` where it, or the socket's, is anybody else's. */
export async function backgroundFolder(stateHome: string): Promise<BackgroundFolder> {
  const path = join(stateHome, 'pharos', 'agent')
  await makePrivate(path)
  let socket = join(path, 'agent.sock')
  if (Buffer.byteLength(socket) > socketBytesMax) {
    const other = join(tmpdir(), `pharos-${process.getuid?.() ?? 0}-${hash('sha256', path).slice(0, 16)}`)
    await makePrivate(other)
    socket = join(other, 'agent.sock')
  }
  return {
    path,
    socket,
    log: join(path, 'agent.log'),
    kept: join(path, 'kept.json'),
    errors: join(path, 'agent.err'),
  }
}

async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  // A link to somewhere else, or a folder that was there before us.
  const found = await lstat(path)
  const mine = process.getuid === undefined || found.uid === process.getuid()
  if (!found.isDirectory() || !mine || (found.mode & 0o077) !== 0)
    throw new CommandError(
      `The folder ${path} must be yours and closed to others, since API keys pass through it. Look at it, then: chmod 700 ${path}`,
    )
}

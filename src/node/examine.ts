import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cgroups, findCgroups } from './runtime/cgroups.ts'
import { describeEngine, usualSockets } from './runtime/docker/open.ts'
import { findNodeTools } from './runtime/node-tools.ts'
import { createOwners } from './runtime/owners.ts'
import { probeSandbox } from './runtime/sandbox.ts'

/** What this machine can do to keep servers apart. Each `refused` is the reason in words, null where it works. */
export interface Isolation {
  /** Whether npm is here, for templates that need its packages. */
  npm: boolean
  sandbox: { refused: string | null }
  /** Null: none may be written by this user. */
  cgroups: Pick<Cgroups, 'version' | 'controls'> | null
  /** Null: there is no engine, or containers are switched off. */
  engine: { socket: string; name: string; refused: null } | { socket: string; refused: string } | null
}

/** An empty sandbox's server, as many as a node of one machine would have. */
const processesMax = 64

/**
 * Tries out what a node would use, in a folder and in control groups of its own that are gone afterwards. Installs nothing.
 * @param dockerSocket `auto`, `none`, or where the engine's socket is
 */
export async function examineIsolation(dockerSocket: string): Promise<Isolation> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-doctor-'))
  const cgroups = await findCgroups(`pharos-doctor-${process.pid}`, processesMax)
  try {
    const owners = process.getuid?.() === 0 ? createOwners(process.pid) : null
    const tools = await findNodeTools()
    const sandbox = await probeSandbox({ owners, cgroups, tools }, folder)
    return {
      npm: tools.npm !== null,
      sandbox: { refused: 'refused' in sandbox ? sandbox.refused : null },
      cgroups: cgroups && { version: cgroups.version, controls: cgroups.controls },
      engine: await examineEngine(dockerSocket),
    }
  } finally {
    await cgroups?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function examineEngine(dockerSocket: string): Promise<Isolation['engine']> {
  if (dockerSocket === 'none') return null
  let last: Isolation['engine'] = null
  for (const socket of dockerSocket === 'auto' ? await usualSockets() : [dockerSocket]) {
    try {
      return { socket, name: await describeEngine(socket), refused: null }
    } catch (error) {
      last = { socket, refused: error instanceof Error ? error.message : String(error) }
    }
  }
  return last
}

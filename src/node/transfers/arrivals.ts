import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { ServerSpec, ServerState } from '../../contract/node.ts'
import type { Arrival } from '../../contract/node-transfers.ts'
import type { Clock } from '../../lib/clock.ts'
import { newShortId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Queue } from '../../lib/queue.ts'
import { archiveOf, newTally } from '../backups/archive.ts'
import { excludedBy } from '../backups/excluded.ts'
import { freeBytesMin, restoreDepthMax, restoreEntriesMax } from '../backups/limits.ts'
import { unpack } from '../extraction/index.ts'
import type { DebianPackages } from '../install/debian.ts'
import type { SharedPackages } from '../install/packages.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { removeTree } from '../runtime/remove-tree.ts'
import { type Runtime, serverFiles } from '../runtime.ts'
import { filesMaxOf } from '../stats/disk.ts'
import { writeArrived } from '../supervisor/record.ts'
import type { Servers } from '../supervisor/servers.ts'
import { TreeSummer } from './tree-sum.ts'

export interface ArrivalsOptions {
  dataDir: string
  servers: Servers
  runtime: Pick<Runtime, 'confine' | 'prepare'>
  packages: SharedPackages
  debian: DebianPackages
  /** Of a server that is thrown away. */
  databases: { discard(server: string): Promise<void> }
  /** Beginning, taking over and throwing away come one after the other: none of them may meet another one's half. */
  turns: Queue
  clock: Clock
  log: Log
}

/** The name of a folder whose server has not arrived yet: never a server's id. */
const arrivingPrefix = '.arriving-'

interface Coming {
  transfer: string
  spec: ServerSpec
  folder: string
  report: Arrival
  readonly stopping: AbortController
  done: Promise<void>
}

/**
 * The servers that come to this node. Each is put together in a folder beside those of the servers, read again from the disk, and
 * becomes one of them by one rename. What a killed node has left of one is thrown away at its next start.
 */
export class Arrivals implements AsyncDisposable {
  readonly #options: ArrivalsOptions
  readonly #root: string
  readonly #coming = new Map<string, Coming>()

  private constructor(options: ArrivalsOptions, root: string) {
    this.#options = options
    this.#root = root
  }

  static async open(options: ArrivalsOptions): Promise<Arrivals> {
    const root = join(options.dataDir, 'servers')
    for (const name of await readdir(root)) if (name.startsWith(arrivingPrefix)) await removeTree(join(root, name))
    return new Arrivals(options, root)
  }

  /** Throws `not_found` where nothing comes by this transfer. */
  report(transfer: string, id: string): Arrival {
    return this.#need(transfer, id).report
  }

  /** Begins anew, whatever came of it before. */
  prepare(transfer: string, spec: ServerSpec): Promise<Arrival> {
    return this.#options.turns.run(() => this.#prepare(transfer, spec))
  }

  async #prepare(transfer: string, spec: ServerSpec): Promise<Arrival> {
    const { id, held } = spec
    if (held?.transfer !== transfer) throw conflict(`The spec of server ${spec.name} is not held for this transfer`)
    await this.#discard(transfer, id)
    await this.#drop(id)
    if (this.#options.servers.specs().some((known) => known.id === id))
      throw conflict(
        `This node still has an older copy of server ${spec.name}: try again once that has been cleared away`,
      )
    const folder = join(this.#root, `${arrivingPrefix}${id}-${newShortId()}`)
    const coming: Coming = {
      ...{ transfer, spec, folder, stopping: new AbortController(), done: Promise.resolve() },
      report: { state: 'preparing', tree: null, message: null },
    }
    this.#coming.set(id, coming)
    this.#work(coming, async (signal) => {
      const { packages, debian } = this.#options
      const { install } = spec.template
      if (install.npm) await packages.ensure(install.npm, () => undefined, signal)
      await debian.ensure(install.debian, () => undefined, signal)
      await mkdir(folder, { mode: 0o700 })
      coming.report = { ...coming.report, state: 'waiting' }
    })
    return coming.report
  }

  /** Takes the archive. Resolves once it is unpacked, while it is read again; rejects with the reason where it cannot be. */
  async receive(transfer: string, id: string, content: AsyncIterable<Uint8Array>): Promise<Arrival> {
    const coming = this.#need(transfer, id)
    if (coming.report.state !== 'waiting') throw conflict('The files of this server are not waited for')
    coming.report = { ...coming.report, state: 'receiving' }
    const { signal } = coming.stopping
    try {
      const { runtime } = this.#options
      const owner = await runtime.prepare(coming.folder)
      const folder = join(coming.folder, serverFiles.data)
      if (!owner) await mkdir(folder, { recursive: true, mode: 0o700 })
      await unpack(runtime, {
        ...{ folder, owner, signal, archive: leavingRoom(content, coming.folder) },
        job: jobOf(coming.spec),
      })
    } catch (error) {
      this.#fail(coming, error)
      throw error
    }
    coming.report = { ...coming.report, state: 'checking' }
    this.#work(coming, async () => {
      await flush(coming.folder)
      const tree = await this.#sumOf(coming)
      coming.report = { state: 'ready', tree, message: null }
    })
    return coming.report
  }

  /** Makes it one of this node's servers. Repeating it changes nothing. */
  adopt(transfer: string, id: string, consoleSeq: number, lines: readonly string[]): Promise<ServerState> {
    return this.#options.turns.run(() => this.#adopt(transfer, id, consoleSeq, lines))
  }

  async #adopt(transfer: string, id: string, consoleSeq: number, lines: readonly string[]): Promise<ServerState> {
    const { servers, clock } = this.#options
    const there = servers.specs().find((spec) => spec.id === id)
    if (there) {
      if (there.held?.transfer === transfer) return servers.get(id).state()
      throw conflict(`This node has a server ${id} that did not come by this transfer`)
    }
    const coming = this.#need(transfer, id)
    if (coming.report.state !== 'ready') throw conflict('This server has not arrived yet')
    await coming.done
    const { folder, spec } = coming
    await writeFile(join(folder, serverFiles.log), lines.map((line) => `${line.replaceAll('\n', ' ')}\n`).join(''), {
      mode: 0o600,
    })
    await writeArrived(folder, spec, { now: clock.now(), consoleSeq })
    await flush(folder)
    const state = await servers.adopt(folder, id)
    this.#coming.delete(id)
    return state
  }

  /** Removes what is here of the server, if it came or leaves by this transfer and is still held by it. */
  discard(transfer: string, id: string): Promise<void> {
    return this.#options.turns.run(() => this.#discard(transfer, id))
  }

  async #discard(transfer: string, id: string): Promise<void> {
    if (this.#coming.get(id)?.transfer === transfer) await this.#drop(id)
    const { servers, databases } = this.#options
    // They go first: without the server nobody would know of them.
    if (servers.specs().some((spec) => spec.id === id && spec.held?.transfer === transfer)) await databases.discard(id)
    await servers.remove(id, (spec) => spec.held?.transfer === transfer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#coming.keys()]) await this.#drop(id)
  }

  async #drop(id: string): Promise<void> {
    const coming = this.#coming.get(id)
    if (!coming) return
    this.#coming.delete(id)
    coming.stopping.abort(conflict('The transfer was ended'))
    await coming.done
    await removeTree(coming.folder)
  }

  #need(transfer: string, id: string): Coming {
    const coming = this.#coming.get(id)
    if (coming?.transfer !== transfer) throw notFound(`Transfer ${transfer} of server ${id}`)
    return coming
  }

  async #sumOf({ folder, stopping }: Coming) {
    const summer = new TreeSummer()
    const check = (): void => stopping.signal.throwIfAborted()
    for await (const piece of archiveOf(join(folder, serverFiles.data), excludedBy(''), newTally(), check))
      summer.push(piece)
    return summer.end()
  }

  #work(coming: Coming, work: (signal: AbortSignal) => Promise<void>): void {
    coming.done = work(coming.stopping.signal).catch((error: unknown) => this.#fail(coming, error))
  }

  #fail(coming: Coming, error: unknown): void {
    if (coming.stopping.signal.aborted) return
    const ours = error instanceof AppError
    if (!ours) this.#options.log.error({ err: error, server: coming.spec.id }, 'a server could not be taken in')
    const words = ours ? error.message : 'Its files could not be taken in; the log of the node says why'
    coming.report = { state: 'failed', tree: null, message: words.slice(0, 1000) }
  }
}

function jobOf({ resources }: ServerSpec) {
  const bytesMax = resources.disk * 1024 * 1024
  const entriesMax = Math.min(restoreEntriesMax, filesMaxOf(bytesMax))
  return {
    kind: 'tar.zst' as const,
    name: '',
    bytesMax,
    tooLarge: `Its files need more than its disk limit of ${resources.disk} MiB: raise that, or delete files`,
    entriesMax,
    tooMany: `It has more than the ${entriesMax} files that a server of this disk limit may have: raise the limit`,
    depthMax: restoreDepthMax,
    faithful: true,
    only: null,
  }
}

/** After how many bytes the free space is looked at again. */
const freeCheckBytes = 32 * 1024 * 1024

/** Other servers of this node must not fail because of one that comes. */
async function* leavingRoom(
  content: AsyncIterable<Uint8Array>,
  folder: string,
): AsyncGenerator<Uint8Array, void, void> {
  let unchecked = freeCheckBytes
  for await (const piece of content) {
    unchecked += piece.length
    if (unchecked >= freeCheckBytes) {
      unchecked = 0
      const { bavail, bsize } = await statfs(folder)
      if (bavail * bsize < freeBytesMin) throw conflict('The disk of the target node is nearly full: free some space')
    }
    yield piece
  }
}

/** Resolves once everything that was written to this file system is on its disk. */
async function flush(folder: string): Promise<void> {
  const child = spawn('sync', ['-f', folder], { env: toolEnvironment, stdio: 'ignore' })
  await once(child, 'close')
}

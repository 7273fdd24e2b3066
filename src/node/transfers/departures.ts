import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { AppError, conflict, notFound } from '../../contract/errors.ts'
import type { Departure } from '../../contract/node-transfers.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import type { Log } from '../../lib/log.ts'
import { archiveOf, measureTree, newTally } from '../backups/archive.ts'
import { compressor } from '../backups/codec.ts'
import { excludedBy } from '../backups/excluded.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { serverFiles } from '../runtime.ts'
import type { Server } from '../supervisor/server.ts'
import type { Servers } from '../supervisor/servers.ts'
import { TreeSummer } from './tree-sum.ts'

/** Written when the files begin to be read: what changes later has a later time of change, which no game can set back. */
const markerFile = 'departure'

/** The servers that leave this node. Nothing of it is kept: a departure that was cut off begins anew. */
export class Departures {
  readonly #servers: Servers
  readonly #log: Log
  readonly #reports = new Map<string, { transfer: string; report: Departure }>()

  constructor({ servers, log }: { servers: Servers; log: Log }) {
    this.#servers = servers
    this.#log = log
  }

  report(transfer: string, id: string): Departure {
    mustBeHeld(this.#servers.get(id), transfer)
    const known = this.#reports.get(id)
    return known?.transfer === transfer
      ? known.report
      : { state: 'idle', bytesDone: 0, bytesTotal: 0, tree: null, message: null }
  }

  /** The server's files as a compressed archive. Throws `conflict` unless it is stopped and held for this transfer. */
  async content(transfer: string, id: string): Promise<Readable> {
    const server = this.#servers.get(id)
    mustBeHeld(server, transfer)
    if (!server.settled)
      throw conflict(`Server ${server.spec.name} is not stopped, or its files are only partly restored`)
    const marker = join(server.folder, markerFile)
    await rm(marker, { force: true })
    await writeFileAtomic(marker, transfer)
    const compressed = compressor('zstd')
    pipeline(Readable.from(this.#read(transfer, server), { objectMode: false }), compressed, (error) => {
      if (error && !(error instanceof AppError))
        this.#log.warn({ err: error, server: id, transfer }, 'reading a server for its transfer broke off')
    })
    return compressed
  }

  /** Whether nothing has changed in the server's folder since its files began to be read. */
  async unchanged(transfer: string, id: string): Promise<boolean> {
    const server = this.#servers.get(id)
    mustBeHeld(server, transfer)
    if (this.report(transfer, id).state !== 'sent') throw notFound(`What was sent of server ${id}`)
    const { folder } = server
    const child = spawn(
      'find',
      ['-P', join(folder, serverFiles.data), '-cnewer', join(folder, markerFile), '-print', '-quit'],
      { env: toolEnvironment, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    let found = false
    child.stdout.on('data', () => {
      found = true
    })
    const [code] = await once(child, 'close')
    return code === 0 && !found && server.settled
  }

  async *#read(transfer: string, server: Server): AsyncGenerator<Buffer, void, void> {
    const data = join(server.folder, serverFiles.data)
    const everything = excludedBy('')
    const tally = newTally()
    const summer = new TreeSummer()
    let bytesTotal = 0
    const tell = (state: Departure['state'], more: Partial<Departure> = {}): void => {
      const bytesDone = tally.bytes
      const report = { state, bytesDone, bytesTotal: Math.max(bytesDone, bytesTotal), tree: null, message: null }
      this.#reports.set(server.id, { transfer, report: { ...report, ...more } })
    }
    try {
      tell('sending')
      bytesTotal = await measureTree(data, everything, () => undefined)
      for await (const piece of archiveOf(data, everything, tally, () => tell('sending'))) {
        summer.push(piece)
        yield piece
      }
      const odd = [...tally.changed.some, ...tally.vanished.some]
      if (odd.length > 0) throw conflict(`Files changed while they were read: ${odd.join(', ').slice(0, 500)}`)
      if (tally.tooDeep.count > 0)
        throw conflict(`Folders are nested too deeply to be moved: ${tally.tooDeep.some.join(', ').slice(0, 500)}`)
      tell('sent', { tree: summer.end() })
    } catch (error) {
      tell('failed', { message: error instanceof AppError ? error.message : 'Its files could not be read' })
      throw error
    }
  }
}

function mustBeHeld(server: Server, transfer: string): void {
  if (server.spec.held?.transfer !== transfer)
    throw conflict(`Server ${server.spec.name} is not held for this transfer`)
}

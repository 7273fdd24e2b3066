import { closeSync, existsSync, fstatSync, fsync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { TunnelCounter, WorkspacePeak } from '../contract/edge.ts'
import type { Clock } from '../lib/clock.ts'
import { newUuid } from '../lib/ids.ts'
import type { Log } from '../lib/log.ts'

/**
 * What went through each tunnel on each UTC day, in one file of fixed slots that is written in place.
 *
 *   file   = header (512 bytes: magic, epoch) followed by slots
 *   slot   = 512 bytes: who it counts (256 bytes with a checksum), then two copies of its numbers (64 bytes each)
 *   copy   = checksum, generation, five numbers as float64 (exact up to 2^53)
 *
 * The numbers only grow and the file keeps its `epoch` for ever, so a report can be repeated. Writes alternate between the two
 * copies and the checksum of a copy includes the identity's: whatever a power cut tears, the older copy or an empty slot is left.
 * A process killed with -9 loses nothing, because the kernel has the bytes once `writeSync` returns.
 */
export class Counters implements Disposable {
  /** Names this run of numbers: a new one begins only with a new file. */
  readonly epoch: string
  readonly #file: number
  readonly #clock: Clock
  readonly #log: Log
  readonly #slotsMax: number
  readonly #slots = new Map<string, Slot>()
  readonly #dirty = new Set<Slot>()
  readonly #free: number[] = []
  #slotCount = 0
  /** Of slots that were freed in this process: what was counted stays counted. */
  readonly #freed = { bytesIn: 0, bytesOut: 0, connections: 0, requests: 0 }
  #failing = false

  /**
   * Opens or creates the file. One that is not a counters' file is set aside under another name, with a line in the log.
   * @param slotsMax how many (tunnel, day) pairs are kept; 65,536 are 32 MiB: 10,000 tunnels for the days that are kept, and their peaks.
   */
  constructor(path: string, options: { clock: Clock; log: Log; slotsMax?: number }) {
    this.#clock = options.clock
    this.#log = options.log
    this.#slotsMax = options.slotsMax ?? 65_536
    let file = openSync(path, existsSync(path) ? 'r+' : 'wx+', 0o600)
    const size = fstatSync(file).size
    let epoch = size === 0 ? undefined : readHeader(file)
    if (size > 0 && epoch === undefined) {
      closeSync(file)
      const aside = `${path}.broken-${options.clock.now()}`
      renameSync(path, aside)
      options.log.error({ aside }, 'the usage counters cannot be read; they are set aside and new ones begin')
      file = openSync(path, 'wx+', 0o600)
    }
    this.#file = file
    if (epoch === undefined) {
      epoch = newUuid()
      writeHeader(file, epoch)
    } else this.#load(size)
    this.epoch = epoch
  }

  /**
   * The meter of a tunnel.
   * @throws RangeError when the file is full or an id is too long to be kept: what cannot be counted is not served.
   */
  meter(tunnelId: string, workspaceId: string): TunnelMeter {
    let slot = this.#slot('tunnel', tunnelId, workspaceId, this.#today())
    let nextDay = slot.day + dayMs
    const touch = (): Slot => {
      const now = this.#clock.now()
      if (now >= nextDay || slot.freed) {
        try {
          slot = this.#slot('tunnel', tunnelId, workspaceId, startOfDay(now))
          nextDay = slot.day + dayMs
        } catch (error) {
          // Counting on in yesterday's slot loses nothing; only the day is wrong.
          this.#log.error({ err: error, tunnelId }, 'no counter is free for the new day')
          nextDay += dayMs
        }
      }
      slot.lastSeen = now
      this.#dirty.add(slot)
      return slot
    }
    return {
      in: (bytes) => {
        touch().bytesIn += bytes
      },
      out: (bytes) => {
        touch().bytesOut += bytes
      },
      connection: () => {
        touch().connections += 1
      },
      request: () => {
        touch().requests += 1
      },
    }
  }

  /** Notes that `open` tunnels of a workspace are open now: the day's peak keeps the most. */
  peak(workspaceId: string, open: number): void {
    const slot = this.#slot('peak', '', workspaceId, this.#today())
    if (open <= slot.requests) return
    slot.requests = open
    slot.lastSeen = this.#clock.now()
    this.#dirty.add(slot)
  }

  /** Everything that went through all tunnels, as far as it is in the file or was since this process began. */
  totals(): Totals {
    const totals = { ...this.#freed }
    for (const slot of this.#slots.values()) if (slot.kind === 'tunnel') addTo(totals, slot)
    return totals
  }

  /** Writes what has changed. Cheap when nothing has. A disk that refuses is logged; the numbers are written with the next change. */
  flush(): void {
    if (this.#dirty.size === 0) return
    try {
      for (const slot of this.#dirty) {
        if (!slot.freed) this.#write(slot)
        this.#dirty.delete(slot)
      }
      this.#failing = false
    } catch (error) {
      if (!this.#failing)
        this.#log.error({ err: error }, 'usage cannot be written to disk; it is counted in memory until it can')
      this.#failing = true
    }
  }

  /** Puts what is written beyond the reach of a power cut. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => fsync(this.#file, (error) => (error ? reject(error) : resolve())))
  }

  /** At most `most` counters and peaks each that have changed since they were last settled. */
  unreported(most: number): Unreported {
    this.flush()
    const batch: Unreported = { counters: [], peaks: [], settle: () => undefined }
    const sent: Array<[Slot, number]> = []
    for (const slot of this.#slots.values()) {
      if (slot.settled === slot.version) continue
      if (slot.kind === 'peak') {
        if (batch.peaks.length === most) continue
        batch.peaks.push({ workspaceId: slot.workspaceId, day: slot.day, peakTunnels: slot.requests })
      } else {
        // A meter that has not counted yet has nothing to say.
        if (slot.lastSeen === 0 || batch.counters.length === most) continue
        const { tunnelId, workspaceId, day, bytesIn, bytesOut, connections, requests, lastSeen } = slot
        batch.counters.push({ tunnelId, workspaceId, day, bytesIn, bytesOut, connections, requests, lastSeen })
      }
      sent.push([slot, slot.version])
    }
    batch.settle = () => {
      for (const [slot, version] of sent) slot.settled = version
      this.#forget()
    }
    return batch
  }

  [Symbol.dispose](): void {
    this.flush()
    closeSync(this.#file)
  }

  #today(): number {
    return startOfDay(this.#clock.now())
  }

  #slot(kind: Slot['kind'], tunnelId: string, workspaceId: string, day: number): Slot {
    const key = slotKey(kind, tunnelId, workspaceId, day)
    const known = this.#slots.get(key)
    if (known) return known
    if (Buffer.byteLength(tunnelId) > idBytesMax || Buffer.byteLength(workspaceId) > idBytesMax)
      throw new RangeError(`an id is longer than ${idBytesMax} bytes`)
    if (this.#free.length === 0 && this.#slotCount >= this.#slotsMax)
      throw new RangeError(`all ${this.#slotsMax} counters are in use`)
    const index = this.#free.pop() ?? this.#slotCount++
    const slot: Slot = {
      index,
      kind,
      tunnelId,
      workspaceId,
      day,
      identity: 0,
      generation: 0,
      bytesIn: 0,
      bytesOut: 0,
      connections: 0,
      requests: 0,
      lastSeen: 0,
      version: 0,
      settled: -1,
      freed: false,
    }
    const bytes = Buffer.alloc(slotBytes)
    slot.identity = writeIdentity(bytes, slot)
    writeSync(this.#file, bytes, 0, slotBytes, offsetOf(index))
    this.#slots.set(key, slot)
    return slot
  }

  #write(slot: Slot): void {
    slot.generation += 1
    slot.version += 1
    scratch.writeUInt32LE(slot.generation, 4)
    scratch.writeDoubleLE(slot.bytesIn, 8)
    scratch.writeDoubleLE(slot.bytesOut, 16)
    scratch.writeDoubleLE(slot.connections, 24)
    scratch.writeDoubleLE(slot.requests, 32)
    scratch.writeDoubleLE(slot.lastSeen, 40)
    scratch.writeUInt32LE(crc32(scratchBody, slot.identity), 0)
    writeSync(this.#file, scratch, 0, copyBytes, offsetOf(slot.index) + copyOffsets[slot.generation % 2 === 0 ? 0 : 1])
  }

  /** Frees settled slots of days long past. Two days are kept, so that a clock that is set back finds its counters again. */
  #forget(): void {
    const oldest = this.#today() - daysKept * dayMs
    for (const [key, slot] of this.#slots) {
      const unsettled = slot.settled !== slot.version && slot.lastSeen !== 0
      if (slot.day >= oldest || unsettled || this.#dirty.has(slot)) continue
      slot.freed = true
      if (slot.kind === 'tunnel') addTo(this.#freed, slot)
      writeSync(this.#file, emptyIdentity, 0, identityBytes, offsetOf(slot.index))
      this.#slots.delete(key)
      this.#free.push(slot.index)
    }
  }

  #load(size: number): void {
    const bytes = Buffer.alloc(slotBytes)
    this.#slotCount = Math.max(0, Math.floor((size - headerBytes) / slotBytes))
    for (let index = 0; index < this.#slotCount; index++) {
      readSync(this.#file, bytes, 0, slotBytes, offsetOf(index))
      const slot = readSlot(bytes, index)
      if (slot) this.#slots.set(slotKey(slot.kind, slot.tunnelId, slot.workspaceId, slot.day), slot)
      else this.#free.push(index)
    }
  }
}

/** Counts what goes through one tunnel. */
export interface TunnelMeter {
  /** Bytes that came from a visitor. */
  in(bytes: number): void
  /** Bytes that go to a visitor. */
  out(bytes: number): void
  connection(): void
  request(): void
}

export interface Unreported {
  counters: TunnelCounter[]
  peaks: WorkspacePeak[]
  /** Call it when the panel has taken (or refused for good) these numbers. What has grown since is reported again. */
  settle(): void
}

export const dayMs = 86_400_000
export const startOfDay = (ms: number): number => Math.floor(ms / dayMs) * dayMs

/** What went through several tunnels together. */
export interface Totals {
  bytesIn: number
  bytesOut: number
  connections: number
  requests: number
}

function addTo(totals: Totals, slot: Totals): void {
  totals.bytesIn += slot.bytesIn
  totals.bytesOut += slot.bytesOut
  totals.connections += slot.connections
  totals.requests += slot.requests
}

interface Slot {
  readonly index: number
  readonly kind: 'tunnel' | 'peak'
  readonly tunnelId: string
  readonly workspaceId: string
  readonly day: number
  /** The checksum of the identity. */
  identity: number
  generation: number
  bytesIn: number
  bytesOut: number
  connections: number
  /** Of a peak: the most tunnels. */
  requests: number
  lastSeen: number
  /** Counts changes in this process; `settled` is the version that the panel has. */
  version: number
  settled: number
  /** Its place in the file may belong to another by now. */
  freed: boolean
}

const magic = Buffer.from('PHAROSC1')
const headerBytes = 512
const slotBytes = 512
const identityBytes = 256
const copyBytes = 64
const copyOffsets = [256, 320] as const
const idBytesMax = 112
const daysKept = 2
const emptyIdentity = Buffer.alloc(identityBytes)
const scratch = Buffer.alloc(copyBytes)
const scratchBody = scratch.subarray(4)
const kinds = ['tunnel', 'peak'] as const

const offsetOf = (index: number): number => headerBytes + index * slotBytes
const slotKey = (kind: string, tunnelId: string, workspaceId: string, day: number): string =>
  `${kind}\n${day}\n${tunnelId}\n${workspaceId}`

function readHeader(file: number): string | undefined {
  const bytes = Buffer.alloc(headerBytes)
  if (readSync(file, bytes, 0, headerBytes, 0) !== headerBytes) return undefined
  if (!bytes.subarray(0, 8).equals(magic) || bytes.readUInt32LE(8) !== crc32(bytes.subarray(12, 48))) return undefined
  return bytes.toString('latin1', 12, 48)
}

function writeHeader(file: number, epoch: string): void {
  const bytes = Buffer.alloc(headerBytes)
  magic.copy(bytes)
  bytes.write(epoch, 12, 'latin1')
  bytes.writeUInt32LE(crc32(bytes.subarray(12, 48)), 8)
  writeSync(file, bytes, 0, headerBytes, 0)
}

function writeIdentity(bytes: Buffer, slot: Slot): number {
  bytes[4] = kinds.indexOf(slot.kind)
  bytes[5] = Buffer.byteLength(slot.tunnelId)
  bytes[6] = Buffer.byteLength(slot.workspaceId)
  bytes.writeDoubleLE(slot.day, 8)
  bytes.write(slot.tunnelId, 16)
  bytes.write(slot.workspaceId, 16 + idBytesMax)
  const sum = crc32(bytes.subarray(4, identityBytes))
  bytes.writeUInt32LE(sum, 0)
  return sum
}

function readSlot(bytes: Buffer, index: number): Slot | undefined {
  const identity = bytes.readUInt32LE(0)
  const kind = kinds[bytes[4] ?? 0]
  if (identity === 0 || kind === undefined || identity !== crc32(bytes.subarray(4, identityBytes))) return undefined
  const slot: Slot = {
    index,
    kind,
    tunnelId: bytes.toString('utf8', 16, 16 + (bytes[5] ?? 0)),
    workspaceId: bytes.toString('utf8', 16 + idBytesMax, 16 + idBytesMax + (bytes[6] ?? 0)),
    day: bytes.readDoubleLE(8),
    identity,
    generation: 0,
    bytesIn: 0,
    bytesOut: 0,
    connections: 0,
    requests: 0,
    lastSeen: 0,
    version: 0,
    settled: -1,
    freed: false,
  }
  for (const offset of copyOffsets) {
    const copy = bytes.subarray(offset, offset + copyBytes)
    const generation = copy.readUInt32LE(4)
    if (generation <= slot.generation || copy.readUInt32LE(0) !== crc32(copy.subarray(4), identity)) continue
    slot.generation = generation
    slot.bytesIn = copy.readDoubleLE(8)
    slot.bytesOut = copy.readDoubleLE(16)
    slot.connections = copy.readDoubleLE(24)
    slot.requests = copy.readDoubleLE(32)
    slot.lastSeen = copy.readDoubleLE(40)
  }
  return slot
}

import type { Duplex } from 'node:stream'
import { buffersPassed } from '../../lib/garbage.ts'
import { giveStaging, takeStaging } from '../../link/index.ts'
import { encodeFrame, type FrameHeader, headerBytes } from './frame.ts'
import type { MuxStream } from './mux-stream.ts'

export interface OutboxOptions {
  duplex: Duplex
  /** Frames without data that may wait. */
  queuedBytesMax: number
  /** The other end does not read: more waits than may. */
  onOverflow(): void
  /** Data leaves. */
  onData(): void
}

/**
 * What leaves a session. All frames of a turn of the event loop leave in one write: those without data first, then streams by turns, one
 * frame each; no more than two writes are ever waiting in the connection.
 */
export class Outbox {
  readonly #options: OutboxOptions
  #frames: Buffer[] = []
  readonly #ready = new Set<MuxStream>()
  #flushPlanned = false
  #flushing = false
  #writes = 0
  #isClosed = false

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  send(header: FrameHeader): void {
    if (this.#isClosed) return
    this.#frames.push(encodeFrame(header))
    if (this.#frames.length * headerBytes > this.#options.queuedBytesMax) this.#options.onOverflow()
    else this.#planFlush()
  }

  /** The stream has something to send. */
  ready(stream: MuxStream): void {
    if (this.#isClosed) return
    this.#ready.add(stream)
    this.#planFlush()
  }

  forget(stream: MuxStream): void {
    this.#ready.delete(stream)
  }

  /** Takes nothing more. Returns the frames that have not left, and what `last` has been told and has not sent. */
  close(last: MuxStream | null): Buffer {
    const frames = this.#frames
    this.#isClosed = true
    this.#frames = []
    this.#ready.clear()
    return Buffer.concat([...frames, ...(last ? lastWords(last) : [])])
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#flushing || this.#writes >= writesMax) return
    this.#flushPlanned = true
    // An immediate runs after all sockets of this turn of the event loop were read, and gathers all of them.
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#flushPlanned = false
    this.#flushing = true
    while (!this.#isClosed && this.#writes < writesMax && this.#writeSome()) {}
    this.#flushing = false
  }

  /** One write of what waits; false when nothing does. */
  #writeSome(): boolean {
    if (this.#frames.length === 0 && this.#ready.size === 0) return false
    const staging = takeStaging()
    const length = this.#fill(staging, this.#gather(staging))
    if (length > copyBelowBytes && !this.#isClosed) {
      this.#write(staging.subarray(0, length), staging)
      return true
    }
    const small = Buffer.allocUnsafe(length)
    staging.copy(small, 0, 0, length)
    giveStaging(staging)
    if (length > 0 && !this.#isClosed) this.#write(small, null)
    return length > 0
  }

  #gather(staging: Buffer): number {
    let at = 0
    for (const frame of this.#frames.splice(0, Math.floor(batchBytes / headerBytes))) at += frame.copy(staging, at)
    return at
  }

  #fill(staging: Buffer, from: number): number {
    let at = from
    // One that is ready again afterwards comes up again, behind the others.
    for (const stream of this.#ready) {
      if (batchBytes - at < headerBytes + frameRoomBytesMin) break
      this.#ready.delete(stream)
      if (!stream.sendable) continue
      this.#options.onData()
      at = stream.fill(staging, at, batchBytes)
      // Filling has told a writer that it is done, and that writer may have closed the session.
      if (this.#isClosed) break
      if (stream.sendable) this.#ready.add(stream)
    }
    return at
  }

  #write(bytes: Buffer, staging: Buffer | null): void {
    this.#writes += 1
    buffersPassed(bytes.length)
    this.#options.duplex.write(bytes, () => {
      if (staging) giveStaging(staging)
      this.#writes -= 1
      if (this.#frames.length > 0 || this.#ready.size > 0) this.#planFlush()
    })
  }
}

/** What a stream has been told and has not sent, as far as its window allows. */
function lastWords(stream: MuxStream): Buffer[] {
  const words: Buffer[] = []
  for (let bytes = 0; stream.sendable && bytes < lastWordsBytesMax; ) {
    const frame = Buffer.allocUnsafe(lastWordsBytesMax)
    const length = stream.fill(frame, 0, frame.length)
    bytes += length
    words.push(frame.subarray(0, length))
  }
  return words
}

/** Writes handed to the connection and not yet taken by the kernel: one on its way, one to follow it without a pause. */
const writesMax = 2
/** One write takes at most this: its fixed cost vanishes, and a new frame waits little behind it. */
const batchBytes = 128 * 1024
/** Up to here a write is copied out of the staging buffer, so that slow connections do not hold one each. */
const copyBelowBytes = 32 * 1024
/** With less room than this left in a write, a stream waits for the next one instead of sending a crumb. */
const frameRoomBytesMin = 1024
/** Answers that leave behind each other before the end. */
const lastWordsBytesMax = 16 * 1024

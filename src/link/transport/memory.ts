import { Duplex } from 'node:stream'
import type { Channel } from '../channel.ts'

/** Two ends of a pipe inside this process. When one breaks, so does the other. */
export function memoryPair(): [Channel, Channel] {
  const left = new PipeEnd()
  const right = new PipeEnd()
  left.join(right)
  right.join(left)
  return [
    { duplex: left, remoteAddress: 'memory' },
    { duplex: right, remoteAddress: 'memory' },
  ]
}

/** Unlike `stream.duplexPair`, copies what is written, as every network does: a channel's writer reuses its memory. */
class PipeEnd extends Duplex {
  #other: PipeEnd | null = null
  /** The writer at the other end waits for this end to read. */
  #taken: (() => void) | null = null

  join(other: PipeEnd): void {
    this.#other = other
  }

  override _read(): void {
    const taken = this.#taken
    this.#taken = null
    taken?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const other = this.#other
    if (!other || other.destroyed) return
    if (chunk.length === 0) {
      done() // pushing nothing would make nobody read
      return
    }
    other.#taken = done
    other.push(Buffer.from(chunk))
  }

  override _final(done: () => void): void {
    this.#other?.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error)
    // After an orderly end on this side the other may still have something to read.
    if (!this.writableFinished || !this.readableEnded) this.#other?.destroy()
  }
}

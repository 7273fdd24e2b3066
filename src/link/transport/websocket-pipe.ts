import { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'

/** One binary message carries at most this; a longer one, or one of text, ends the WebSocket. */
export const messageBytesMax = 64 * 1024

/** The binary messages of an open WebSocket as a byte pipe: what the messages were does not matter. It ends with the WebSocket. */
export class WebSocketPipe extends Duplex {
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    super({ readableHighWaterMark: messageBytesMax, writableHighWaterMark: messageBytesMax })
    this.#socket = socket
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary || !Buffer.isBuffer(data)) this.destroy(new Error('a message of text in a link'))
      else if (data.length > 0 && !this.push(data)) socket.pause()
    })
    socket.on('error', (error) => this.destroy(error))
    socket.once('close', () => {
      this.push(null)
      this.destroy()
    })
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0
    while (chunk.length - at > messageBytesMax) {
      this.#socket.send(chunk.subarray(at, at + messageBytesMax), ignore)
      at += messageBytesMax
    }
    // Messages leave in order: with the last all have left.
    this.#socket.send(chunk.subarray(at), done)
  }

  override _final(done: () => void): void {
    this.#socket.close()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // An orderly end is under way: `ws` bounds how long it waits for the other side's.
    if (!this.writableFinished || error) this.#socket.terminate()
    done(error)
  }
}

const ignore = (): void => undefined

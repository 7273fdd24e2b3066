import type { FileHandle } from 'node:fs/promises'

/** Written at once, in bytes: each write is a trip to the thread pool, which costs as much as copying this. */
const writeBytes = 256 * 1024

/** What may wait while a write is on its way, in bytes: enough to keep the disk busy. */
const waitingBytesMax = 1024 * 1024

/** And in how many pieces: a sender chooses their size, and each costs memory beside its bytes. */
const waitingPiecesMax = 512

/** Writes what comes in small pieces one after the other at a file's position, many of them in one call. Nothing is on its way any more after `flush`. */
export class FileAppender {
  readonly #file: FileHandle
  #pieces: Uint8Array[] = []
  #bytes = 0
  #writing: Promise<void> | null = null
  #failed: { error: unknown } | null = null

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Resolves when there is room for more; the piece stays in use until `flush` has resolved. Rejects with what an earlier write met. */
  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes < writeBytes && this.#pieces.length < waitingPiecesMax) return
    while (this.#writing && (this.#bytes >= waitingBytesMax || this.#pieces.length >= waitingPiecesMax))
      await this.#writing
    if (!this.#writing) this.#write()
    if (this.#failed) throw this.#failed.error
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing
    if (this.#bytes > 0 && !this.#failed) {
      this.#write()
      await this.#writing
    }
    if (this.#failed) throw this.#failed.error
  }

  #write(): void {
    const pieces = this.#pieces
    this.#pieces = []
    this.#bytes = 0
    if (this.#failed) return
    this.#writing = writePieces(this.#file, pieces).then(
      () => {
        this.#writing = null
      },
      (error: unknown) => {
        this.#writing = null
        this.#failed = { error }
      },
    )
  }
}

async function writePieces(file: FileHandle, pieces: Uint8Array[]): Promise<void> {
  let left = pieces
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left)
    left = without(left, bytesWritten)
  }
}

/** What is left of the pieces after their first `bytes`. */
function without(pieces: Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = bytes
  for (const [index, piece] of pieces.entries()) {
    if (skipped < piece.length) return [piece.subarray(skipped), ...pieces.slice(index + 1)]
    skipped -= piece.length
  }
  return []
}

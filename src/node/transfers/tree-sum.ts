import { createHash, type Hash } from 'node:crypto'
import type { TreeSum } from '../../contract/node-transfers.ts'
import { type TarHeader, TarReader } from '../extraction/tar-reader.ts'

/** Sums of digests are kept to this many bits. */
const sumBits = 256n

/**
 * Adds up what a tar archive of a folder holds, as its bytes pass. The digests of the entries are added rather than chained: file systems
 * list names in any order. Of folders no mode counts, since whoever unpacks must be able to enter them; times count nowhere.
 */
export class TreeSummer {
  readonly #reader: TarReader
  #sum = 0n
  #entries = 0
  #bytes = 0
  #open: Hash | null = null

  constructor() {
    const sink = {
      entry: (header: TarHeader) => this.#entry(header),
      content: (bytes: Buffer) => {
        this.#bytes += bytes.length
        this.#open?.update(bytes)
      },
      end: () => this.#close(),
    }
    this.#reader = new TarReader(sink, { headersMax: Number.POSITIVE_INFINITY, tooMany: '' })
  }

  push(piece: Buffer): void {
    this.#reader.push(piece)
  }

  /** What the archive held; it must be whole. */
  end(): TreeSum {
    this.#reader.end()
    return { digest: this.#sum.toString(16).padStart(64, '0'), entries: this.#entries, bytes: this.#bytes }
  }

  #entry({ kind, name, mode, target, sizeBytes }: TarHeader): void {
    const permissions = kind === 'file' ? mode & 0o777 : 0
    const path = name.replace(/\/+$/, '')
    this.#open = createHash('sha256').update(`${kind}\0${path}\0${permissions}\0${target}\0${sizeBytes}\0`, 'latin1')
    if (kind !== 'file') this.#close()
  }

  #close(): void {
    if (!this.#open) return
    this.#sum = BigInt.asUintN(Number(sumBits), this.#sum + BigInt(`0x${this.#open.digest('hex')}`))
    this.#entries += 1
    this.#open = null
  }
}

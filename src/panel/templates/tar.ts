/** Takes bytes in the sizes that a format wants. */
class Bytes {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Null at the end; throws where it comes before `length` bytes have. */
  async take(length: number): Promise<Buffer | null> {
    const pieces: Buffer[] = []
    let missing = length
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next()
        if (next.done) {
          if (missing === length) return null
          throw new Error('the archive ends in the middle')
        }
        this.#rest = Buffer.from(next.value)
      }
      const piece = this.#rest.subarray(0, missing)
      this.#rest = this.#rest.subarray(piece.length)
      missing -= piece.length
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      const piece = await this.take(Math.min(left, 64 * 1024))
      if (!piece) throw new Error('the archive ends in the middle')
      left -= piece.length
    }
  }
}

const blockBytes = 512

/** What may be said about one entry before it, in bytes: a path, and times. */
const recordsBytesMax = 64 * 1024

/**
 * The ordinary files of a tar archive that `wants` takes, each with its content. The names are the archive's own and lead
 * nowhere: nothing is written to a disk. Throws an `Error` that says what is wrong.
 */
export async function* tarFiles(
  chunks: AsyncIterable<Uint8Array>,
  wants: (name: string, sizeBytes: number) => boolean,
): AsyncGenerator<{ name: string; content: Buffer }> {
  const bytes = new Bytes(chunks)
  let told: string | null = null
  for (;;) {
    const header = await bytes.take(blockBytes)
    if (!header || header.every((byte) => byte === 0)) return
    checkSum(header)
    const size = numberAt(header, 124, 12)
    const padding = -size & (blockBytes - 1)
    const type = String.fromCharCode(header[156] ?? 0)
    if (type === 'x' || type === 'L') {
      if (size > recordsBytesMax) throw new Error('the records of an entry are too long')
      const content = (await bytes.take(size))?.toString('utf8') ?? ''
      told = type === 'L' ? content.replace(/\0.*$/s, '') : (/(?:^|\n)\d+ path=([^\n]*)\n/.exec(content)?.[1] ?? told)
      await bytes.skip(padding)
      continue
    }
    const name = told ?? nameOf(header)
    told = null
    if ((type !== '0' && type !== '\0') || !wants(name, size)) {
      await bytes.skip(size + padding)
      continue
    }
    const content = size === 0 ? Buffer.alloc(0) : await bytes.take(size)
    if (!content) throw new Error('the archive ends in the middle')
    await bytes.skip(padding)
    yield { name, content }
  }
}

function checkSum(header: Buffer): void {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  if (!/^[0-7]+$/.test(textAt(header, 148, 8).trim()) || sum !== numberAt(header, 148, 8))
    throw new Error('it is no archive that is known (.tar.gz, .zip), or damaged')
}

function numberAt(header: Buffer, at: number, width: number): number {
  const text = textAt(header, at, width).trim()
  if (!/^[0-7]*$/.test(text)) throw new Error('the archive holds a number that is none')
  return text === '' ? 0 : Number.parseInt(text, 8)
}

function nameOf(header: Buffer): string {
  const name = textAt(header, 0, 100)
  const prefix = header.toString('latin1', 257, 262) === 'ustar' ? textAt(header, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

const textAt = (header: Buffer, at: number, width: number): string =>
  header.toString('utf8', at, at + width).replace(/\0.*$/s, '')

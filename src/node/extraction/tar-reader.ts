import { Refused, shown } from './job.ts'

/**
 * Reads tar as it is written by GNU tar, BSD tar, Go, Python and our own backups: ustar with prefix, PAX records, GNU long
 * names. Names are strings of one character for each byte.
 */
export interface TarHeader {
  kind: 'file' | 'folder' | 'link' | 'hard link'
  name: string
  /** Where a link leads. */
  target: string
  mode: number
  sizeBytes: number
  /** Seconds since 1970. */
  modified: number
}

/** What entries become. */
export interface TarSink {
  entry(header: TarHeader): void
  /** The content of the file that was begun last. */
  content(bytes: Buffer): void
  /** It is whole. */
  end(): void
}

const blockBytes = 512

/** Records about one entry: the longest path and link, with room for what others write into them, in bytes. */
const recordsBytesMax = 1024 * 1024

/** What may follow the end of an archive, in bytes: it is padded to the block of a tape drive, never to more. */
const paddingBytesMax = 64 * 1024 * 1024

/** Takes an archive in pieces of any size and hands its entries on as they come. Throws at the first byte that is wrong. */
export class TarReader {
  readonly #sink: TarSink
  readonly #headersMax: number
  readonly #tooMany: string
  /** The begin of a block whose end has not come yet. */
  #rest: Buffer = empty
  #state: 'header' | 'content' | 'records' | 'padding' | 'over' = 'header'
  /** Bytes of this content or padding that are still to come. */
  #left = 0
  #padding = 0
  #headers = 0
  #trailing = 0
  #records: { type: string; pieces: Buffer[] } = { type: '', pieces: [] }
  /** What the records before an entry say of it. */
  #told: Record<string, string> = {}

  /** @param headersMax more than this many headers are refused with the words `tooMany`: one that makes nothing costs nothing to repeat. */
  constructor(sink: TarSink, { headersMax, tooMany }: { headersMax: number; tooMany: string }) {
    this.#sink = sink
    this.#headersMax = headersMax
    this.#tooMany = tooMany
  }

  push(piece: Buffer): void {
    let at = 0
    while (at < piece.length) {
      switch (this.#state) {
        case 'header': {
          const missing = blockBytes - this.#rest.length
          const part = piece.subarray(at, at + missing)
          at += part.length
          const block = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part])
          if (block.length < blockBytes) this.#rest = block
          else {
            this.#rest = empty
            this.#header(block)
          }
          break
        }
        case 'content':
        case 'records': {
          const part = piece.subarray(at, at + this.#left)
          at += part.length
          this.#left -= part.length
          if (this.#state === 'content') this.#sink.content(part)
          else this.#records.pieces.push(Buffer.from(part))
          if (this.#left === 0) this.#contentOver()
          break
        }
        case 'padding': {
          const skipped = Math.min(this.#padding, piece.length - at)
          at += skipped
          this.#padding -= skipped
          if (this.#padding === 0) this.#state = 'header'
          break
        }
        case 'over':
          this.#trailing += piece.length - at
          if (this.#trailing > paddingBytesMax) throw new Error('it goes on after its end')
          return
      }
    }
  }

  /** Nothing more comes. */
  end(): void {
    const isWhole = this.#state === 'over' || (this.#state === 'header' && this.#rest.length === 0 && this.#headers > 0)
    if (!isWhole) throw new Error('it ends in the middle')
  }

  #header(block: Buffer): void {
    if (isZero(block)) {
      this.#state = 'over'
      return
    }
    checkSum(block)
    this.#headers += 1
    if (this.#headers > this.#headersMax) throw new Refused(this.#tooMany)
    const type = String.fromCharCode(block[156] ?? 0)
    const size = numberAt(block, 124, 12)
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      if (size > recordsBytesMax) throw new Error('the records of an entry are too long')
      this.#records = { type, pieces: [] }
      this.#expect('records', size)
      return
    }
    const told = this.#told
    this.#told = {}
    if (Object.keys(told).some((key) => key.startsWith('GNU.sparse.')))
      throw new Refused('The archive holds sparse files in a form of GNU tar; pack it without --sparse')
    const name = told.path ?? ustarName(block)
    const kind = kindOf(type, name)
    const sizeBytes = kind === 'file' ? (told.size === undefined ? size : decimal(told.size)) : 0
    this.#sink.entry({
      kind,
      name,
      sizeBytes,
      target: told.linkpath ?? textAt(block, 157, 100),
      mode: numberAt(block, 100, 8) & 0o7777,
      modified: told.mtime === undefined ? numberAt(block, 136, 12) : Number(told.mtime) || 0,
    })
    // Some programs put the size of the file into the header of its hard link, without a content.
    if (kind === 'file') this.#expect('content', sizeBytes)
  }

  #expect(state: 'content' | 'records', size: number): void {
    this.#state = state
    this.#left = size
    this.#padding = -size & (blockBytes - 1)
    if (size === 0) this.#contentOver()
  }

  #contentOver(): void {
    if (this.#state === 'content') this.#sink.end()
    else this.#learn()
    this.#state = this.#padding === 0 ? 'header' : 'padding'
  }

  #learn(): void {
    const { type, pieces } = this.#records
    const content = Buffer.concat(pieces)
    this.#records = { type: '', pieces: [] }
    const text = content.toString('latin1')
    if (type === 'L') this.#told.path = beforeNul(text)
    else if (type === 'K') this.#told.linkpath = beforeNul(text)
    else if (type === 'x') Object.assign(this.#told, paxRecords(text))
    // What `g` says holds for all entries; nothing that matters here is ever said there.
  }
}

const empty: Buffer = Buffer.alloc(0)
const zeros = Buffer.alloc(blockBytes)
const isZero = (block: Buffer): boolean => block.equals(zeros)

function checkSum(block: Buffer): void {
  let sum = 8 * 32
  for (let at = 0; at < blockBytes; at += 1) if (at < 148 || at >= 156) sum += block[at] as number
  if (sum !== numberAt(block, 148, 8)) throw new Error('it is no tar, or damaged')
}

/** Octal digits, or since GNU tar the bytes of the number itself after a first byte of 0x80. */
function numberAt(block: Buffer, offset: number, width: number): number {
  if (((block[offset] ?? 0) & 0x80) !== 0) {
    // A time before 1970; nothing else is negative.
    if (block[offset] === 0xff) return 0
    let value = 0
    for (let at = offset + 1; at < offset + width; at += 1) value = value * 256 + (block[at] ?? 0)
    if (!Number.isSafeInteger(value)) throw new Error('a number in it is too large')
    return value
  }
  const digits = textAt(block, offset, width).trim()
  if (digits === '') return 0
  if (!/^[0-7]+$/.test(digits)) throw new Error('a number in it is none')
  return Number.parseInt(digits, 8)
}

function decimal(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Error('a size in it is none')
  return value
}

function textAt(block: Buffer, offset: number, width: number): string {
  return beforeNul(block.toString('latin1', offset, offset + width))
}

function beforeNul(text: string): string {
  const end = text.indexOf('\0')
  return end === -1 ? text : text.slice(0, end)
}

function ustarName(block: Buffer): string {
  const name = textAt(block, 0, 100)
  if (block.toString('latin1', 257, 263) !== 'ustar\0') return name
  const prefix = textAt(block, 345, 155)
  return prefix === '' ? name : `${prefix}/${name}`
}

const kinds: Readonly<Record<string, TarHeader['kind']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'link',
  '5': 'folder',
}
const otherKinds: Readonly<Record<string, string>> = { '3': 'device', '4': 'device', '6': 'fifo', S: 'sparse file' }

function kindOf(type: string, name: string): TarHeader['kind'] {
  const kind = kinds[type]
  if (!kind)
    throw new Refused(
      `${shown(name)} is a ${otherKinds[type] ?? 'thing of an unknown kind'}: only files, folders and links are unpacked`,
    )
  // Before ustar a folder was a file whose name ends so.
  return kind === 'file' && name.endsWith('/') ? 'folder' : kind
}

/** `length key=value\n`, where the length counts its own digits. */
function paxRecords(text: string): Record<string, string> {
  const records: Record<string, string> = {}
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(' ', at)
    const length = space === -1 ? Number.NaN : decimal(text.slice(at, space))
    const record = text.slice(space + 1, at + length - 1)
    const equals = record.indexOf('=')
    if (!(length > 0) || at + length > text.length || text[at + length - 1] !== '\n' || equals < 1)
      throw new Error('a record in it is broken')
    records[record.slice(0, equals)] = record.slice(equals + 1)
    at += length
  }
  return records
}

import { packetBytesMax } from './limits.ts'

/** The SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), as every client speaks it. */
export const request = {
  init: 1,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  extended: 200,
} as const

const reply = { version: 2, status: 101, handle: 102, data: 103, name: 104, attrs: 105, extended: 201 } as const

export const status = { ok: 0, eof: 1, noSuchFile: 2, denied: 3, failure: 4, badMessage: 5, unsupported: 8 } as const
export type Status = (typeof status)[keyof typeof status]

export const openFlag = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const

/** What is asked to be set, or told, of a file. Times in seconds since 1970. */
export interface Attributes {
  size?: number
  owner?: { uid: number; gid: number }
  mode?: number
  times?: { accessed: number; modified: number }
}

const attribute = { size: 1, owner: 2, mode: 4, times: 8, extended: 0x8000_0000 } as const

/** Bytes that are not what they should be: the connection ends. */
export class Malformed extends Error {}

/** Whole packets out of the pieces in which they come. Never holds more than one packet and one piece. */
export class Inbox {
  #pieces: Buffer[] = []
  #bytes = 0

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }

  /** The next packet, without its length; null while it is not whole. Throws `Malformed` for one that is too long. */
  next(): Buffer | null {
    if (this.#bytes < 4) return null
    const length = this.#first(4).readUInt32BE(0)
    if (length === 0 || length > packetBytesMax) throw new Malformed('a packet of an impossible length')
    if (this.#bytes < 4 + length) return null
    const packet = this.#first(4 + length).subarray(4, 4 + length)
    this.#drop(4 + length)
    return packet
  }

  /** A piece that begins with that many bytes. */
  #first(bytes: number): Buffer {
    const [first] = this.#pieces
    if (first && first.length >= bytes) return first
    const joined = Buffer.concat(this.#pieces)
    this.#pieces = [joined]
    return joined
  }

  #drop(bytes: number): void {
    const rest = this.#pieces[0]?.subarray(bytes)
    if (rest && rest.length > 0) this.#pieces[0] = rest
    else this.#pieces.shift()
    this.#bytes -= bytes
  }
}

/** Reads the fields of one packet; throws `Malformed` past its end. */
export class Fields {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  byte(): number {
    return this.#take(1).readUInt8(0)
  }

  number(): number {
    return this.#take(4).readUInt32BE(0)
  }

  /** An offset or size: one that is no safe number is nobody's. */
  long(): number {
    const value = Number(this.#take(8).readBigUInt64BE(0))
    if (!Number.isSafeInteger(value)) throw new Malformed('an impossible offset or size')
    return value
  }

  bytes(): Buffer {
    return this.#take(this.number())
  }

  /** Paths are UTF-8; what is not can name nothing here. */
  text(): string {
    return this.bytes().toString('utf8')
  }

  attributes(): Attributes {
    const flags = this.number()
    const found: Attributes = {}
    if (flags & attribute.size) found.size = this.long()
    if (flags & attribute.owner) found.owner = { uid: this.number(), gid: this.number() }
    if (flags & attribute.mode) found.mode = this.number()
    if (flags & attribute.times) found.times = { accessed: this.number(), modified: this.number() }
    if (flags & attribute.extended)
      for (let left = this.number(); left > 0; left -= 1) {
        this.bytes()
        this.bytes()
      }
    return found
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Malformed('a packet that ends too early')
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }
}

/** Replies, ready to be sent. */
export const packet = {
  version: (extensions: readonly (readonly [name: string, data: Buffer | string])[]): Buffer =>
    framed(reply.version, number(3), ...extensions.flatMap(([name, data]) => [text(name), text(data)])),
  status: (id: number, code: Status, message: string): Buffer =>
    framed(reply.status, number(id), number(code), text(message), text('')),
  handle: (id: number, handle: number): Buffer => framed(reply.handle, number(id), text(number(handle))),
  name: (id: number, entries: readonly Entry[]): Buffer =>
    framed(
      reply.name,
      number(id),
      number(entries.length),
      ...entries.flatMap(({ name, longName, attributes }) => [text(name), text(longName), attributesOf(attributes)]),
    ),
  attributes: (id: number, attributes: Attributes): Buffer => framed(reply.attrs, number(id), attributesOf(attributes)),
  extended: (id: number, ...fields: Buffer[]): Buffer => framed(reply.extended, number(id), ...fields),
} as const

export interface Entry {
  name: Buffer | string
  /** As `ls -l` shows it. */
  longName: Buffer | string
  attributes: Attributes
}

/** A reply with so many bytes of a file: they are read right into it, from `dataAt`, and `trim` cuts what did not come. */
export function dataReply(id: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(dataAt + length)
  buffer.writeUInt8(reply.data, 4)
  buffer.writeUInt32BE(id, 5)
  return buffer
}

export const dataAt = 13

export function trim(buffer: Buffer, length: number): Buffer {
  buffer.writeUInt32BE(dataAt + length - 4, 0)
  buffer.writeUInt32BE(length, 9)
  return buffer.subarray(0, dataAt + length)
}

export function number(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value >>> 0, 0)
  return bytes
}

export function long(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(Math.max(0, Math.trunc(value))), 0)
  return bytes
}

function text(value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([number(bytes.length), bytes])
}

function attributesOf({ size, owner, mode, times }: Attributes): Buffer {
  const fields: Buffer[] = []
  let flags = 0
  if (size !== undefined) {
    flags |= attribute.size
    fields.push(long(size))
  }
  if (owner) {
    flags |= attribute.owner
    fields.push(number(owner.uid), number(owner.gid))
  }
  if (mode !== undefined) {
    flags |= attribute.mode
    fields.push(number(mode))
  }
  if (times) {
    flags |= attribute.times
    fields.push(number(times.accessed), number(times.modified))
  }
  return Buffer.concat([number(flags), ...fields])
}

function framed(type: number, ...fields: Buffer[]): Buffer {
  const length = fields.reduce((sum, field) => sum + field.length, 1)
  return Buffer.concat([number(length), Buffer.of(type), ...fields])
}

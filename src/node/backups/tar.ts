/**
 * The tar format as far as backups need it: POSIX ustar headers, and a pax header before an entry whose name, link or size
 * does not fit. Names are bytes: what the file system has is what the archive gets. Nothing of the machine goes in: no user or
 * group names, and everything belongs to user 0.
 */

export interface TarEntry {
  kind: 'file' | 'folder' | 'link'
  /** Relative, parts with `/` between them. */
  path: Buffer
  /** Permission bits. */
  mode: number
  /** Seconds since 1970. */
  modifiedSeconds: number
  /** Bytes of content that follow; 0 for what is no file. */
  sizeBytes: number
  /** Where a link leads, as it is written. */
  target?: Buffer
}

export const tarBlockBytes = 512

/** The whole end of an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes)

/** What stands before an entry's content. */
export function tarHeader(entry: TarEntry): Buffer {
  const name = entry.kind === 'folder' ? Buffer.concat([entry.path, slash]) : entry.path
  const target = entry.target ?? empty
  const records: Buffer[] = []
  if (name.length > nameBytes) records.push(paxRecord('path', name))
  if (target.length > nameBytes) records.push(paxRecord('linkpath', target))
  if (entry.sizeBytes > octalSizeMax) records.push(paxRecord('size', Buffer.from(String(entry.sizeBytes))))
  const header = ustar({
    name: name.subarray(0, nameBytes),
    mode: entry.mode & 0o777,
    size: entry.sizeBytes > octalSizeMax ? 0 : entry.sizeBytes,
    modified: entry.modifiedSeconds,
    type: typeOf[entry.kind],
    target: target.subarray(0, nameBytes),
  })
  if (records.length === 0) return header
  const pax = Buffer.concat(records)
  const before = ustar({ name: paxName, mode: 0o644, size: pax.length, modified: 0, type: 'x', target: empty })
  return Buffer.concat([before, pax, tarPadding(pax.length), header])
}

/** What fills the last block of a content of this length. */
export const tarPadding = (sizeBytes: number): Buffer => tarEnd.subarray(0, -sizeBytes & (tarBlockBytes - 1))

const nameBytes = 100
/** Eleven octal digits. */
const octalSizeMax = 0o77777777777
const slash = Buffer.from('/')
const empty = Buffer.alloc(0)
const paxName = Buffer.from('pax-header')
const typeOf = { file: '0', link: '2', folder: '5' } as const

interface UstarFields {
  name: Buffer
  mode: number
  size: number
  modified: number
  type: string
  target: Buffer
}

function ustar({ name, mode, size, modified, type, target }: UstarFields): Buffer {
  const header = Buffer.alloc(tarBlockBytes)
  name.copy(header, 0)
  octal(header, 100, 8, mode)
  octal(header, 108, 8, 0)
  octal(header, 116, 8, 0)
  octal(header, 124, 12, size)
  octal(header, 136, 12, Math.min(Math.max(0, Math.floor(modified)), octalSizeMax))
  header.fill(' ', 148, 156)
  header.write(type, 156, 'latin1')
  target.copy(header, 157)
  header.write('ustar\0' + '00', 257, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

function octal(header: Buffer, offset: number, width: number, value: number): void {
  header.write(value.toString(8).padStart(width - 1, '0'), offset, 'latin1')
}

/** `length key=value\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3
  let length = rest + String(rest).length
  length = rest + String(length).length
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')])
}

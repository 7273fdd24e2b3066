/** One entry of a test's archive. */
export interface Entry {
  name: string | Buffer
  type?: string
  content?: string | Buffer
  link?: string
  mode?: number
  /** Seconds since 1970. */
  modified?: number
  /** What the header says, if it lies. */
  size?: number
  /** Records of a PAX header before it. */
  pax?: Record<string, string>
}

/** A tar archive of exactly these entries, whatever they are. */
export function tar(entries: Entry[]): Buffer {
  const blocks: Buffer[] = []
  const add = ({ name, type = '0', content = '', link = '', mode = 0o644, modified = 0, size }: Entry): void => {
    const header = Buffer.alloc(512)
    const bytes = Buffer.from(content as string)
    Buffer.from(name as string).copy(header, 0, 0, 100)
    header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
    header.write('0000000\0'.repeat(2), 108)
    header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124)
    header.write(`${modified.toString(8).padStart(11, '0')}\0`, 136)
    header.write('        ', 148)
    header.write(type, 156)
    header.write(link, 157)
    header.write('ustar\x0000', 257)
    let sum = 0
    for (const byte of header) sum += byte
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    blocks.push(header, bytes, Buffer.alloc(-bytes.length & 511))
  }
  for (const entry of entries) {
    if (entry.pax) {
      const records = Object.entries(entry.pax).map(([key, value]) => {
        let length = key.length + Buffer.byteLength(value) + 3
        length += String(length + String(length).length).length
        return `${length} ${key}=${value}\n`
      })
      add({ name: 'pax', type: 'x', content: records.join('') })
    }
    add(entry)
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

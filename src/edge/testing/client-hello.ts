/** A ClientHello by hand, right unless a field is replaced. */
export interface HelloParts {
  serverNames?: string[]
  protocols?: string[]
  /** More extensions, in front of the two above. */
  extensions?: { type: number; content: Buffer }[]
  /** Bytes behind everything, inside the message. */
  trailing?: Buffer
}

/** The message with its header, without records. */
export function helloMessage({ serverNames, protocols, extensions = [], trailing }: HelloParts): Buffer {
  const all = [...extensions]
  if (serverNames) all.push(serverNameExtension(serverNames))
  if (protocols)
    all.push({
      type: 16,
      content: vector(2, Buffer.concat(protocols.map((name) => vector(1, Buffer.from(name, 'latin1'))))),
    })
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 8)),
    vector(2, Buffer.from('0a0a13011302', 'hex')),
    vector(1, Buffer.from([0])),
    vector(2, Buffer.concat(all.map(({ type, content }) => Buffer.concat([number(2, type), vector(2, content)])))),
    trailing ?? Buffer.alloc(0),
  ])
  return Buffer.concat([Buffer.from([1]), vector(3, body)])
}

export const serverNameExtension = (names: string[], type = 0): { type: number; content: Buffer } => ({
  type: 0,
  content: vector(
    2,
    Buffer.concat(names.map((name) => Buffer.concat([Buffer.from([type]), vector(2, Buffer.from(name, 'latin1'))]))),
  ),
})

/** Cut into records of at most `most` bytes. */
export function inRecords(message: Buffer, most = 16_384): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += most) records.push(record(message.subarray(at, at + most)))
  return Buffer.concat(records)
}

export const record = (content: Buffer, type = 22): Buffer =>
  Buffer.concat([Buffer.from([type, 3, 1]), vector(2, content)])

export const clientHello = (parts: HelloParts): Buffer => inRecords(helloMessage(parts))

/** The bytes behind their length. */
export const vector = (lengthBytes: number, bytes: Buffer): Buffer =>
  Buffer.concat([number(lengthBytes, bytes.length), bytes])

function number(bytes: number, value: number): Buffer {
  const out = Buffer.alloc(bytes)
  out.writeUIntBE(value, 0, bytes)
  return out
}

/** The first packet of Minecraft, right unless a field is replaced. */
export interface HandshakeParts {
  host: string
  /** 1 status, 2 login, 3 transfer. */
  next?: number
  protocolVersion?: number
  port?: number
  number?: number
  hostLength?: number
  trailing?: Buffer
}

export function handshakePacket(parts: HandshakeParts): Buffer {
  const { host, next = 2, protocolVersion = 754, port = 25565, number = 0, trailing = Buffer.alloc(0) } = parts
  const name = Buffer.from(host)
  const portBytes = Buffer.alloc(2)
  portBytes.writeUInt16BE(port)
  return packet(
    number,
    Buffer.concat([
      varInt(protocolVersion),
      varInt(parts.hostLength ?? name.length),
      name,
      portBytes,
      varInt(next),
      trailing,
    ]),
  )
}

/** What a player's client sends to log in, as 1.16 has it. */
export const loginPacket = (player: string): Buffer =>
  packet(0, Buffer.concat([varInt(player.length), Buffer.from(player)]))

export const statusRequest = Buffer.from([1, 0])

export function packet(number: number, body: Buffer): Buffer {
  return Buffer.concat([varInt(body.length + 1), Buffer.from([number]), body])
}

export function varInt(value: number): Buffer {
  const bytes: number[] = []
  let rest = value >>> 0
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

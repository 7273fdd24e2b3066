/** What stands before each piece of an engine's log: one byte for the stream, three empty ones, four for the length. */
const headBytes = 8

/**
 * The bytes of standard output and error in an engine's multiplexed log, in their order; of the last ones at most `bytesMax`. A
 * cut-off or broken end is passed over.
 */
export function logBytes(framed: Buffer, bytesMax: number): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at + headBytes <= framed.length; ) {
    const stream = framed[at] ?? 0
    const length = framed.readUInt32BE(at + 4)
    // Anything else is no frame: what follows it cannot be understood.
    if (stream > 2) break
    at += headBytes
    if (stream !== 0) pieces.push(framed.subarray(at, at + length))
    at += length
  }
  const all = Buffer.concat(pieces)
  return all.subarray(Math.max(0, all.length - bytesMax))
}

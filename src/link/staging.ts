/** One write takes at most this: large enough that a TLS write's fixed cost vanishes, small enough that a new frame waits little. */
export const stagingBytes = 256 * 1024

/** Idle buffers kept, in the process: enough for the links that are busy at the same moment on a few cores. */
const spareMax = 8

const spare: Buffer[] = []

/**
 * Memory in which frames are gathered for one write. Shared by all links of the process, because two buffers for each link
 * would cost an idle tunnel half a megabyte, and a new one for each write costs the garbage collector more than the copying.
 */
export const takeStaging = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(stagingBytes)

/** Gives back what `takeStaging` gave, once nothing reads it any more. */
export function giveStaging(buffer: Buffer): void {
  if (spare.length < spareMax) spare.push(buffer)
}

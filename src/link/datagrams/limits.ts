/** Every quantity of the sealed path and its bound. Tests pass smaller ones; nothing else has a reason to. */
export interface SealedPathLimits {
  /** A direction gets a new key after this many packets: far below the 2^32 for which AES-GCM is good. */
  packetsPerKeyMax: number
  /** … or after this long, so that a key that leaks opens little. */
  keyMs: number
  /** How long packets under the former key are still taken: those that were on their way. */
  formerKeyMs: number
  /** How often a path is looked after. */
  tickMs: number
  /** A path in use is pinged at every tick; one that nothing went over for this long is idle. */
  activeMs: number
  /** An idle path is pinged this often: routers forget a UDP mapping after 30 seconds or more. */
  idlePingMs: number
  /** So many pings in a row without an answer, and the path is taken for dead: its datagrams go in the stream again. */
  unansweredPingsMax: number
  /** The accepting end takes a path in use for dead when it has heard no ping for this long. */
  silentMs: number
  /** A path that does not answer is tried again after a tick, two, four …, at most this long: it may come back. */
  probeMsMax: number
  /** A packet size that got through is not tried again; one that did not is given up after this many tries, */
  sizeTries: number
  /** … and tried again after this long: the route may have changed. */
  sizeRetryMs: number
  /** Packets that did not open, for each path and tick, after which only the address that is known is listened to, */
  strangePacketsMax: number
  /** … and after which nothing is, until the next tick: what is forged must not cost more than a few percent of a core. */
  forgedPacketsMax: number
  /** Bytes that wait in the socket; what comes beyond is dropped. */
  unsentBytesMax: number
  /** What is asked of the system for packets that wait to be read: a burst of a few milliseconds. It may grant less. */
  receiveBufferBytes: number
}

export const sealedPathLimits: SealedPathLimits = {
  packetsPerKeyMax: 2 ** 22,
  keyMs: 10 * 60_000,
  formerKeyMs: 10_000,
  tickMs: 500,
  activeMs: 20_000,
  idlePingMs: 15_000,
  unansweredPingsMax: 5,
  silentMs: 3_000,
  probeMsMax: 10_000,
  sizeTries: 3,
  sizeRetryMs: 10 * 60_000,
  strangePacketsMax: 250,
  forgedPacketsMax: 2_500,
  unsentBytesMax: 1024 * 1024,
  receiveBufferBytes: 4 * 1024 * 1024,
}

/** Every quantity of a link and its bound. Tests pass smaller ones; nothing else has a reason to. */
export interface LinkLimits {
  /** The hello and the welcome: read before anybody is known, so small. */
  helloBytesMax: number
  /** What a stream says of itself when it opens. */
  headBytesMax: number
  messageBytesMax: number
  /** Open streams, counted for each direction of opening. */
  streamsMax: number
  /** The largest window a stream grows to: 4 MiB fill 100 Mbit/s at 300 ms. */
  windowBytesMax: number
  /** What all streams of a link together may have grown beyond the first window. */
  windowGrowthBytesMax: number
  /** Bytes received and not yet read, over all streams; beyond it the stream that holds most is reset. */
  unreadBytesMax: number
  /** Control frames and messages waiting to be written. */
  queuedBytesMax: number
  /** Datagrams of one link, and of one stream of it, that wait to be written: what comes beyond is dropped. */
  datagramQueueBytesMax: number
  datagramQueueBytesPerStreamMax: number
  /** A peer that says nothing for this long is dead; each side pings four times in it. */
  deadPeerMs: number
  /** A write that makes no progress for this long ends the link: the peer lives but does not read. */
  stalledWriteMs: number
  /** From the connection to the last byte of the hello, TLS included. */
  helloMs: number
  /** How long the accepting side may think about a hello. */
  greetMs: number
  /** How long the dialling side waits: the connection, then the answer to its hello. */
  connectMs: number
  welcomeMs: number
  /** Connections beside the first one that a link opens for bulk: under loss eight are as good as one for each stream. */
  bulkConnectionsMax: number
  /** A bulk connection that no stream has used for this long is closed. */
  bulkIdleMs: number
  /** From the invitation to the join, the connection and TLS included. */
  joinMs: number
  /** After a further connection could not be made, none is tried for this long. */
  joinRetryMs: number
  /** Connections that are not yet links, over the whole acceptor. */
  handshakesMax: number
  /** After the last frame, how long the peer has to read it before the connection is cut. */
  closeMs: number
}

const KiB = 1024
const MiB = 1024 * KiB

export const linkLimits: LinkLimits = {
  helloBytesMax: 64 * KiB,
  headBytesMax: 16 * KiB,
  messageBytesMax: 1 * MiB,
  streamsMax: 4096,
  windowBytesMax: 4 * MiB,
  windowGrowthBytesMax: 64 * MiB,
  unreadBytesMax: 128 * MiB,
  queuedBytesMax: 16 * MiB,
  datagramQueueBytesMax: 1 * MiB,
  datagramQueueBytesPerStreamMax: 256 * KiB,
  deadPeerMs: 15_000,
  stalledWriteMs: 30_000,
  helloMs: 10_000,
  greetMs: 20_000,
  connectMs: 10_000,
  welcomeMs: 30_000,
  bulkConnectionsMax: 8,
  bulkIdleMs: 20_000,
  joinMs: 15_000,
  joinRetryMs: 30_000,
  handshakesMax: 256,
  closeMs: 2_000,
}

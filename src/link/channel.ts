import type { Duplex } from 'node:stream'

/**
 * What a transport yields: an ordered, reliable byte pipe. Whoever is given one closes it. Once the callback of a write has
 * run, the pipe no longer reads that memory: it is used again.
 */
export interface Channel {
  duplex: Duplex
  remoteAddress: string
}

/** Connects once. Rejects with a `LinkError`, or with the signal's reason; a channel that came too late is closed by the dialler. */
export type Dialler = (signal: AbortSignal) => Promise<Channel>

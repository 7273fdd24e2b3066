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
export interface Dialler {
  (signal: AbortSignal): Promise<Channel>
  /** How many connections one link may have over it; 1 for a transport with only one. As many as a link wants unless it says so. */
  readonly lanes?: number
}

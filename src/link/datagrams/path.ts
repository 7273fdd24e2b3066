/** A way for datagrams beside the link's connection, as the link sees it. */
export interface DatagramPath {
  /** True while datagrams of this size should go this way. */
  carries(bytes: number): boolean
  /** Sends it with what else is sent in this turn of the event loop; only after `carries`. */
  add(stream: number, payload: Uint8Array): void
  /** A datagram has gone or come through the connection: the path is wanted, even if it is down. */
  noteUse(): void
  /** Idempotent. */
  close(): void
}

/** The link, as its path sees it. */
export interface PathHost {
  /** The newest stream that the other end has opened, 0 before the first. */
  readonly newestRemoteStream: number
  /** The other end has heard of our streams up to this one. */
  heardOfStreams(newest: number): void
  /** A datagram has come over the path. */
  arrived(stream: number, payload: Buffer): void
  /** The path has come up, or gone down. */
  pathChanged(up: boolean): void
  /** The other end has broken the rules of the path: the link ends. */
  violated(reason: string): void
}

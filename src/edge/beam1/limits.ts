/** Every quantity of a `beam/1` session and its bound. Tests pass smaller ones; nothing else has a reason to. */
export interface Beam1Limits {
  /** Connections whose agent has not been let in yet, over the whole edge. The oldest one that waits for its agent makes room. */
  arrivalsMax: number
  /** From the connection to the last byte of the hello, TLS included. */
  helloMs: number
  /** How long the control plane may think about a hello. */
  greetMs: number
  /** One message of the control stream. */
  lineBytesMax: number
  /** Messages of one agent: a second in the long run, and at once. */
  messagesPerSecond: number
  messagesBurst: number
  /** Answers on the control stream that the agent does not read. */
  answersBytesMax: number
  /** Streams that are open at once, whatever more the agent says it takes. */
  streamsMax: number
  /** Streams that were opened and not accepted yet: common implementations refuse more. */
  unacceptedMax: number
  /** Streams that wait until one of the agent's is free, and for how long. */
  waitingMax: number
  waitingMs: number
  /** The largest window a stream grows to: 4 MiB fill 100 Mbit/s at 300 ms. */
  windowBytesMax: number
  /** What all streams of a session together may have grown beyond the first window. */
  windowGrowthBytesMax: number
  /** What received and unread data costs in memory, over all streams; beyond it the stream that holds most is reset. */
  unreadBytesMax: number
  /** Frames without data that wait to be written. */
  queuedBytesMax: number
  /** Pings, and frames that say nothing: a second in the long run, and at once. */
  idleFramesPerSecond: number
  idleFramesBurst: number
  /** An agent that says nothing at all for this long is dead; it is pinged four times in it. */
  deadPeerMs: number
  /** How long an agent may send neither a heartbeat nor anything on a stream. */
  idleMs: number
  /** How long the other end of a stream that we have ended may take to end it, too. */
  lingerMs: number
  /** After the last frame, how long the agent has to read it before the connection is cut. */
  closeMs: number
}

const KiB = 1024
const MiB = 1024 * KiB

export const beam1Limits: Beam1Limits = {
  // As many as links may have in their handshake: an honest hello comes with the end of TLS's.
  arrivalsMax: 256,
  // Agents give an attempt 10 s.
  helloMs: 10_000,
  greetMs: 10_000,
  // The protocol allows 1 MiB; a hello and a register are a few hundred bytes.
  lineBytesMax: 64 * KiB,
  // Everything that an agent has is registered at once when it comes back; heartbeats come every 20 s.
  messagesPerSecond: 100,
  messagesBurst: 2_000,
  answersBytesMax: 1 * MiB,
  // As many as a link of ours; agents that are deployed say 64 or 128.
  streamsMax: 4_096,
  // The backlog of the agents that are deployed.
  unacceptedMax: 128,
  // A page of a browser with a hundred pictures, several times.
  waitingMax: 1_024,
  // Longer, and visitors have given up.
  waitingMs: 10_000,
  windowBytesMax: 4 * MiB,
  windowGrowthBytesMax: 64 * MiB,
  unreadBytesMax: 128 * MiB,
  queuedBytesMax: 1 * MiB,
  // A keep-alive is one each 30 s, a measurement of the round trip one each round trip.
  idleFramesPerSecond: 1_000,
  idleFramesBurst: 10_000,
  deadPeerMs: 15_000,
  // The protocol's own: three heartbeats.
  idleMs: 60_000,
  lingerMs: 5_000,
  closeMs: 2_000,
}

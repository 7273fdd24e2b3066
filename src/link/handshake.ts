import type { Channel } from './channel.ts'
import { Lane, type LaneSink } from './lane.ts'
import type { LinkLimits } from './limits.ts'
import { LinkError, type LinkErrorCode } from './link.ts'
import {
  decodeJson,
  decodeReason,
  encodeJson,
  type FrameType,
  frameType,
  joinSecretBytes,
  reasonBytesMax,
  Violation,
} from './wire.ts'

/** What the dialling side does with the answer to its hello. */
export interface DialHandshake {
  channel: Channel
  hello: unknown
  limits: LinkLimits
  /** Takes over the lane (`lane.sink`) before this returns, so that no frame after the welcome is missed. */
  onWelcome(lane: Lane, welcome: unknown): void
  onFailure(error: LinkError): void
}

/** Sends the hello and waits for the answer; the returned function gives up. Calls exactly one of the two callbacks, unless given up. */
export function dialHandshake({ channel, hello, limits, onWelcome, onFailure }: DialHandshake): () => void {
  let settled = false
  const settle = (): boolean => {
    clearTimeout(timer)
    const first = !settled
    settled = true
    return first
  }
  const fail = (code: LinkErrorCode, reason: string): void => {
    if (!settle()) return
    lane.destroy()
    onFailure(new LinkError(code, reason))
  }
  const lane = new Lane(channel, 'dials', limits, {
    header(type, stream, length) {
      const longest =
        type === frameType.welcome ? limits.helloBytesMax : type === frameType.refuse ? 1 + reasonBytesMax : 0
      checkShape(type, stream, length, longest)
    },
    data: noData,
    frame(type, _stream, payload) {
      if (type === frameType.welcome) {
        const welcome = decodeJson(payload)
        if (settle()) onWelcome(lane, welcome)
      } else {
        const { code, reason } = decodeReason(payload)
        fail(code, reason)
      }
    },
    broken: fail,
  })
  const timer = setTimeout(
    () => fail('lost', `the other end has not answered the hello for ${limits.welcomeMs} ms`),
    limits.welcomeMs,
  )
  try {
    lane.control(encodeJson(frameType.hello, 0, hello, limits.helloBytesMax))
  } catch (error) {
    fail('limit', error instanceof Error ? error.message : 'the hello has no JSON form')
  }
  return () => {
    if (settle()) lane.destroy()
  }
}

/** What the accepting side does with a hello. */
export interface AcceptHandshake {
  channel: Channel
  limits: LinkLimits
  /** Judges the hello and answers what to do once it is accepted; throws to refuse. */
  greet(hello: unknown): Promise<{ welcome: unknown; start(lane: Lane): void }>
  /** Gives the lane to the link that has given out this secret; false when none has. */
  join(secret: Buffer, lane: Lane): boolean
  /** Turns what `greet` threw into what the dialler is told. */
  explain(error: unknown): LinkError
  /** Called once, when the connection has become a link or is done with. */
  onSettled(): void
}

export interface AcceptingHandshake {
  /** Refuses it in words. */
  giveUp(): void
  /** Drops a connection that has not said its hello yet; false when it has, or is done with. */
  makeRoom(): boolean
}

/** Waits for a hello and answers it, or for the join of a link's further connection, which needs no answer. Each hello is judged on its own: nobody waits for another. */
export function acceptHandshake({
  channel,
  limits,
  greet,
  join,
  explain,
  onSettled,
}: AcceptHandshake): AcceptingHandshake {
  let state: 'hello' | 'greeting' | 'settled' = 'hello'
  const settle = (): void => {
    clearTimeout(timer)
    state = 'settled'
    onSettled()
  }
  const refuse = (error: LinkError): void => {
    if (state === 'settled') return
    settle()
    lane.close(frameType.refuse, error.code, error.message)
  }
  const judge = async (hello: unknown): Promise<void> => {
    try {
      const { welcome, start } = await greet(hello)
      if (state === 'settled') return
      const frame = encodeJson(frameType.welcome, 0, welcome, limits.helloBytesMax)
      settle()
      lane.control(frame)
      start(lane)
    } catch (error) {
      refuse(explain(error))
    }
  }
  const lane = new Lane(channel, 'accepts', limits, {
    header(type, stream, length) {
      if (state !== 'hello') throw new Violation('frames before the hello was answered')
      if (type === frameType.join && length !== joinSecretBytes) throw new Violation(`a join with ${length} bytes`)
      const longest = type === frameType.hello ? limits.helloBytesMax : type === frameType.join ? joinSecretBytes : 0
      checkShape(type, stream, length, longest)
    },
    data: noData,
    frame(type, _stream, payload) {
      if (type === frameType.join) {
        if (!join(payload, lane)) throw new Violation('a join that nobody was invited to')
        settle()
        return
      }
      const hello = decodeJson(payload)
      clearTimeout(timer)
      state = 'greeting'
      timer = setTimeout(
        () => refuse(new LinkError('limit', 'judging the hello took too long: try again later')),
        limits.greetMs,
      )
      void judge(hello)
    },
    broken(code, reason) {
      if (state === 'settled') return
      // A stranger that does not speak our protocol is owed no answer.
      if (code === 'lost' || state === 'hello') {
        settle()
        lane.destroy()
      } else {
        refuse(new LinkError(code, reason))
      }
    },
  })
  let timer = setTimeout(() => {
    settle()
    lane.destroy()
  }, limits.helloMs)
  return {
    giveUp: () => refuse(new LinkError('closed', 'this end is shutting down')),
    makeRoom() {
      if (state !== 'hello') return false
      settle()
      lane.destroy()
      return true
    },
  }
}

const noData: LaneSink['data'] = () => {
  throw new Violation('data before the handshake')
}

function checkShape(type: FrameType, stream: number, length: number, longest: number): void {
  if (longest === 0) throw new Violation(`frame type ${type} in the handshake`)
  if (stream !== 0 || length === 0 || length > longest)
    throw new Violation(`a handshake frame with ${length} bytes on stream ${stream}`)
}

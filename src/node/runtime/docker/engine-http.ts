import { Agent, type IncomingMessage, request } from 'node:http'
import { z } from 'zod'

/** The engine said no. `status` is HTTP's; the message is the engine's own, made short. */
export class EngineRefusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'EngineRefusal'
    this.status = status
  }
}

/** Nobody answers at the socket, or the answer broke off: nothing is known of whether it was done. */
export class EngineAway extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'EngineAway'
  }
}

export interface EngineRequest {
  method: 'GET' | 'POST' | 'DELETE'
  /** With the version in front. */
  path: string
  query?: Readonly<Record<string, string>>
  /** Sent as JSON; a buffer as a tar archive. */
  body?: object | Buffer
  signal?: AbortSignal
  /** Between two pieces of the answer; 0 for a request that waits as long as a container runs. */
  quietMsMax?: number
  /** Over a connection of its own: an engine that shuts down still answers those that it has. */
  anew?: boolean
}

/** The API of one container engine, over its unix socket. */
export interface EngineHttp extends Disposable {
  /** The whole answer. Throws `EngineRefusal` or `EngineAway`; an abort is thrown as it is. */
  call(request: EngineRequest): Promise<Buffer>
  /** The answer as it comes. */
  stream(request: EngineRequest): AsyncIterable<Buffer>
}

/** An engine under load is slow; one that says nothing for so long is stuck, in ms. */
const quietMs = 60_000

/** The longest answer that is asked for is one container's state, a few kilobytes; in bytes. */
const answerBytesMax = 4 * 1024 * 1024

/** Of what an engine says about a failure, in characters. */
const messageCharsMax = 500

/** @param socketPath a unix socket. */
export function connectEngine(socketPath: string): EngineHttp {
  const agent = new Agent({ keepAlive: true })

  const open = (asked: EngineRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const query = new URLSearchParams(asked.query).toString()
      const body = asked.body === undefined ? Buffer.alloc(0) : bytesOf(asked.body)
      const quiet = asked.quietMsMax ?? quietMs
      const sent = request(
        {
          socketPath,
          agent: asked.anew ? false : agent,
          method: asked.method,
          path: query === '' ? asked.path : `${asked.path}?${query}`,
          headers: {
            host: 'engine',
            'content-length': body.length,
            ...(asked.body === undefined
              ? {}
              : { 'content-type': Buffer.isBuffer(asked.body) ? 'application/x-tar' : 'application/json' }),
          },
          timeout: quiet,
          ...(asked.signal ? { signal: asked.signal } : {}),
        },
        resolve,
      )
      sent.once('timeout', () => sent.destroy(new Error(`no answer for ${quiet / 1000} seconds`)))
      sent.once('error', (error) => reject(asked.signal?.aborted ? asked.signal.reason : new EngineAway(error)))
      sent.end(body)
    })

  const stream = async function* (asked: EngineRequest): AsyncGenerator<Buffer> {
    const answer = await open(asked)
    try {
      if ((answer.statusCode ?? 500) >= 400) throw refusalOf(answer.statusCode ?? 500, await whole(answer))
      for await (const chunk of answer) yield chunk as Buffer // A body without an encoding comes in buffers.
    } catch (error) {
      asked.signal?.throwIfAborted()
      throw error instanceof EngineRefusal ? error : new EngineAway(error)
    } finally {
      answer.destroy()
    }
  }

  return {
    stream,
    async call(asked) {
      const answer = await open(asked)
      try {
        const bytes = await whole(answer)
        if ((answer.statusCode ?? 500) >= 400) throw refusalOf(answer.statusCode ?? 500, bytes)
        return bytes
      } catch (error) {
        asked.signal?.throwIfAborted()
        throw error instanceof EngineRefusal ? error : new EngineAway(error)
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

const bytesOf = (body: object | Buffer): Buffer => (Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)))

async function whole(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer) {
    const bytes = chunk as Buffer // A body without an encoding comes in buffers.
    length += bytes.length
    if (length > answerBytesMax) {
      answer.destroy()
      throw new Error('the answer is too long')
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

const Refused = z.looseObject({ message: z.string() })

function refusalOf(status: number, bytes: Buffer): EngineRefusal {
  const parsed = Refused.safeParse(jsonOrNull(bytes.toString()))
  return new EngineRefusal(status, shortened(parsed.success ? parsed.data.message : bytes.toString()))
}

/** An engine's words in one line, without what a terminal would act on: image names and programs in them come from strangers. */
export const shortened = (words: string): string =>
  words
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, messageCharsMax) || 'no reason given'

/** Null where the text is no JSON. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

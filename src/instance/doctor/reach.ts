import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** How long others are waited for. */
export interface Waiting {
  signal: AbortSignal
  /** Whoever takes longer to answer counts as away, in ms. */
  answerMs: number
}

/** Null where a TCP connection is accepted, else why not. */
export async function reaches(host: string, port: number, waiting: Waiting): Promise<string | null> {
  return attempt(host, port, waiting, async () => null)
}

/** Null where a mail server says its first word. One that expects TLS from the start says nothing, and counts too. */
export async function greeting(host: string, port: number, waiting: Waiting): Promise<string | null> {
  if (port === implicitTlsPort) return reaches(host, port, waiting)
  return attempt(host, port, waiting, async (socket, limit) => {
    const [first] = (await once(socket, 'data', { signal: limit })) as [Buffer]
    return first.toString('latin1').startsWith('220') ? null : 'what answers is no mail server'
  })
}

/** By RFC 8314. */
const implicitTlsPort = 465

async function attempt(
  host: string,
  port: number,
  { signal, answerMs }: Waiting,
  then: (socket: Socket, limit: AbortSignal) => Promise<string | null>,
): Promise<string | null> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  const socket = connect({ host, port })
  socket.on('error', () => undefined)
  try {
    await once(socket, 'connect', { signal: limit })
    return await then(socket, limit)
  } catch (error) {
    signal.throwIfAborted()
    return limit.aborted ? `no answer within ${answerMs / 1000} s` : reasonOf(error)
  } finally {
    socket.destroy()
  }
}

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name is not known'
  return message || String(code)
}

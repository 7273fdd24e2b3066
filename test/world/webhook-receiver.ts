import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  headers: IncomingHttpHeaders
  body: string
}

/** A real receiver of webhooks on a free port of this machine: keeps what it gets, and answers as the test says. */
export async function startReceiver(answer: (response: ServerResponse, count: number) => void = accept) {
  const received: Received[] = []
  const state = { answer }
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(pieces).toString() })
      state.answer(response, received.length)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    received,
    port,
    url: `http://127.0.0.1:${port}/hook`,
    /** From now on. */
    answers(next: typeof answer) {
      state.answer = next
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export const accept = (response: ServerResponse): void => void response.writeHead(204).end()
export const answerWith =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(status, headers).end('x'.repeat(100_000))
/** Takes the request and says nothing. */
export const hang = (): void => undefined

/** Checks the signature as a receiver would; returns when it was signed, in seconds since 1970. */
export function verified({ headers, body }: Received, secret: string): number {
  const [time = '', ...signatures] = String(headers['pharos-signature']).split(',')
  const seconds = time.replace('t=', '')
  const expected = `v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
  if (!signatures.includes(expected)) throw new Error(`not signed with this secret: ${headers['pharos-signature']}`)
  return Number(seconds)
}

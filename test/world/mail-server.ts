import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedLetter {
  from: string
  to: string[]
  /** As it came over the wire, decoded from quoted-printable: headers, an empty line, the text. */
  source: string
  /** Whether the connection was encrypted. */
  secure: boolean
}

/** A real mail server of the test's own on a free port of this machine, which keeps what it is sent. */
export async function startMailServer(options: SMTPServerOptions = {}) {
  const letters: ReceivedLetter[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, done) {
      const pieces: Buffer[] = []
      stream.on('data', (piece: Buffer) => pieces.push(piece))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        letters.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          source: readable(Buffer.concat(pieces).toString()),
          secure: session.secure,
        })
        done()
      })
    },
    ...options,
  })
  // A client that breaks off is no reason to end the test.
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    letters,
    port: (server.server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

function readable(source: string): string {
  const joined = source.replace(/=\r\n/g, '')
  return Buffer.from(
    joined.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString()
}

import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { eventually } from './panel.ts'

/** What a visitor is shown for the name; null where the edge has nothing for it. */
export function handshake(port: number, servername: string): Promise<X509Certificate | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
    socket.once('error', (error) =>
      'code' in error && String(error.code).includes('UNRECOGNIZED_NAME') ? resolve(null) : reject(error),
    )
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate() ?? null
      socket.destroy()
      resolve(certificate)
    })
  })
}

/** The same once there is one: edges have it a moment after the panel. */
export const shown = (port: number, servername: string): Promise<X509Certificate> =>
  eventually(() => handshake(port, servername), `a certificate for ${servername} is shown`)

/** The body of an answer over TLS. */
export function visit(port: number, host: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: host, rejectUnauthorized: false })
    let answer = ''
    socket.setEncoding('utf8')
    socket.once('error', reject)
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.once('close', () => resolve(answer.split('\r\n\r\n')[1] ?? ''))
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  })
}

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import ssh2 from 'ssh2'
import { plainAddress, sourceOf } from '../../lib/address.ts'
import type { Log } from '../../lib/log.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import { Connection, type ConnectionWorld } from './connection.ts'
import type { HostKey } from './host-key.ts'
import { connectionsMax, connectionsPerAddressMax, connectsPerAddress, strangersMax } from './limits.ts'

export interface Listener extends AsyncDisposable {
  readonly port: number
}

/** Listens for clients. Rejects with the system's error where the port cannot be had. */
export async function listen(options: {
  host: string
  port: number
  hostKey: HostKey
  world: Omit<ConnectionWorld, 'admitted'>
  log: Log
}): Promise<Listener> {
  const { hostKey, world, log } = options
  const sockets = new Set<Socket>()
  const strangers = new Set<Socket>()
  const perAddress = new Map<string, number>()
  const rate = new TokenBuckets(connectsPerAddress)

  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    const address = plainAddress(socket.remoteAddress ?? '')
    const source = sourceOf(address)
    const here = perAddress.get(source) ?? 0
    if (sockets.size >= connectionsMax || here >= connectionsPerAddressMax || !rate.take(source, performance.now())) {
      socket.destroy()
      return
    }
    if (strangers.size >= strangersMax) {
      const [oldest] = strangers
      oldest?.destroy()
    }
    sockets.add(socket)
    strangers.add(socket)
    perAddress.set(source, here + 1)
    socket.once('close', () => {
      sockets.delete(socket)
      strangers.delete(socket)
      const left = (perAddress.get(source) ?? 1) - 1
      if (left === 0) perAddress.delete(source)
      else perAddress.set(source, left)
    })
    const connectionWorld = { ...world, admitted: () => void strangers.delete(socket) }
    // One for each connection, so that a client and its socket are told together; nothing listens here.
    const ssh = new ssh2.Server({ hostKeys: [hostKey.privateKey], algorithms, ident: 'Pharos' }, (client) => {
      clearTimeout(silent)
      new Connection(client, socket, address, connectionWorld)
    })
    ssh.on('error', (error: Error) => log.debug({ err: error }, 'an SSH connection failed'))
    // Who never says hello is nobody's client yet: the connection's own timers begin with it.
    const silent = setTimeout(() => socket.destroy(), helloMs)
    socket.once('close', () => clearTimeout(silent))
    ssh.injectSocket(socket)
  })
  server.listen(options.port, options.host)
  await once(server, 'listening')
  server.on('error', (error) => log.warn({ err: error }, 'accepting an SFTP client failed'))
  // A listening server's address is never a path.
  const { port } = server.address() as AddressInfo
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Time for the first byte of a client, in ms: they send it at once. */
const helloMs = 10_000

/** What is neither broken nor about to be: elliptic curves, AEAD ciphers and encrypt-then-MAC, no SHA-1, no compression. */
const algorithms = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384'],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
  serverHostKey: ['ssh-ed25519'],
} satisfies import('ssh2').Algorithms

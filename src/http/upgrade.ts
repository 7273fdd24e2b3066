import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { closeCodes } from './channel.ts'
import { socketCloseMs, socketMessageBytesMax } from './limits.ts'

interface Upgrade {
  socket: Duplex
  head: Buffer
  response: ServerResponse
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/** Whether the request came with `Upgrade: websocket`: its connection carries one reply and then ends, or becomes a WebSocket. */
export const isUpgrade = (request: IncomingMessage): boolean => upgrades.has(request)

/**
 * Sends upgrade requests through the same routes as all others, with a reply object on the raw socket: so a refusal is an
 * ordinary HTTP error with the same checks, headers and shape, and only an admitted request becomes a WebSocket.
 */
export class Upgrader {
  readonly #websockets = new WebSocketServer({
    noServer: true,
    maxPayload: socketMessageBytesMax,
    perMessageDeflate: false,
    clientTracking: true,
  })

  attach(server: Server, route: (request: IncomingMessage, response: ServerResponse) => void): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy())
      const response = new ServerResponse(request)
      response.shouldKeepAlive = false
      // Any Duplex serves, although the type asks for a net.Socket: a reply only writes to it.
      response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0])
      response.once('finish', () => {
        response.detachSocket(socket as Parameters<ServerResponse['assignSocket']>[0])
        socket.end()
      })
      upgrades.set(request, { socket, head, response })
      route(request, response)
    })
  }

  /** Completes the handshake of an admitted request. `headers` go out with it. */
  accept(
    request: IncomingMessage,
    headers: Record<string, string | string[]>,
    open: (socket: WebSocket) => void,
  ): void {
    const upgrade = upgrades.get(request)
    if (!upgrade) throw new Error('The request is not an upgrade')
    const { socket, head, response } = upgrade
    response.detachSocket(socket as Parameters<ServerResponse['assignSocket']>[0])
    const addHeaders = (lines: string[], of: IncomingMessage): void => {
      if (of !== request) return
      for (const [name, value] of Object.entries(headers))
        for (const one of [value].flat()) lines.push(`${name}: ${one}`)
    }
    this.#websockets.on('headers', addHeaders)
    try {
      this.#websockets.handleUpgrade(request, socket, head, open)
    } finally {
      this.#websockets.off('headers', addHeaders)
    }
  }

  /** Says goodbye to every WebSocket and resolves when all are closed; those that do not answer are cut off. */
  async close(): Promise<void> {
    const open = [...this.#websockets.clients]
    await Promise.all(
      open.map(
        (socket) =>
          new Promise<void>((resolve) => {
            const timer = setTimeout(() => socket.terminate(), socketCloseMs)
            socket.once('close', () => {
              clearTimeout(timer)
              resolve()
            })
            socket.close(closeCodes.restarting, 'The server is stopping: connect again.')
            if (socket.readyState === socket.CLOSED) socket.emit('close')
          }),
      ),
    )
  }
}

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { serverSockets } from '../contract/api/servers.ts'
import { ApiError } from '../contract/exchange.ts'
import { openSocket } from './socket.ts'

let server: WebSocketServer
let baseUrl: string
before(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  for (const client of server.clients) client.terminate()
  server.close()
})

/** What a reader gets when the server does this to its connection: its messages, then how it ended. */
async function outcome(act: (peer: WebSocket) => void): Promise<unknown> {
  const connected = once(server, 'connection')
  const live = await openSocket(serverSockets.serverEvents, { params: { serverId: '1a7ce997' } }, { baseUrl })
  const [peer] = (await connected) as [WebSocket]
  peer.send(JSON.stringify({ type: 'deleted', serverId: 'servers/1a7ce997' }))
  act(peer)
  let seen = 0
  try {
    for await (const event of live) seen += event.type === 'deleted' ? 1 : 0
  } catch (error) {
    assert.equal(seen, 1, 'what came before the end is read first')
    assert.ok(error instanceof ApiError)
    return [error.code, error.message]
  }
  assert.equal(seen, 1)
  return 'ended'
}

describe('a live connection', () => {
  test('that has nothing more to say ends', async () => {
    assert.equal(await outcome((peer) => peer.close(1000, 'The server was deleted.')), 'ended')
  })
  for (const [code, as] of [
    [1001, 'unreachable'],
    [1008, 'forbidden'],
    [1011, 'unreachable'],
    [1012, 'unreachable'],
    [1013, 'unreachable'],
  ] as const)
    test(`closed with ${code} is an error that says why`, async () => {
      assert.deepEqual(await outcome((peer) => peer.close(code, 'You read too slowly.')), [as, 'You read too slowly.'])
    })
  test('that breaks is an error', async () => {
    assert.deepEqual(await outcome((peer) => peer.terminate()), ['unreachable', 'The live connection broke'])
  })
  test('that its own reader closes ends, whatever the server says', async () => {
    const connected = once(server, 'connection')
    const live = await openSocket(serverSockets.serverEvents, { params: { serverId: '1a7ce997' } }, { baseUrl })
    const [peer] = (await connected) as [WebSocket]
    live.close()
    peer.close(1013, 'too slow')
    for await (const event of live) assert.fail(JSON.stringify(event))
  })
})

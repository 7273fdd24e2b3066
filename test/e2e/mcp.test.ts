import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { type CallToolResult, Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { runCli } from '../../src/cli/cli.ts'
import { messageBytesMax } from '../../src/mcp/index.ts'
import { patienceMs } from '../patience.ts'
import { eventually } from '../world/panel.ts'
import { startTunnelsWorld, type TunnelsWorld } from '../world/tunnels-world.ts'

const root = join(import.meta.dirname, '..', '..')
let world: TunnelsWorld
let port: number
const service = createServer((asked, reply) => {
  reply.setHeader('content-type', 'text/plain')
  reply.end(`you asked for ${asked.url}`)
})
before(async () => {
  world = await startTunnelsWorld()
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  port = (service.address() as AddressInfo).port
})
after(async () => {
  service.closeAllConnections()
  service.close()
  await world?.[Symbol.asyncDispose]()
})

const textOf = (result: unknown): string =>
  (result as CallToolResult).content.map((block) => (block.type === 'text' ? block.text : '')).join('\n')

describe('an agent that starts pharos mcp', { timeout: 3 * patienceMs }, () => {
  test('exposes a port, reads what visitors asked for, sends it again, and takes the port back', async () => {
    const client = new Client({ name: 'test-agent', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [join(root, 'src', 'main.ts'), 'mcp'],
        env: { HOME: world.home, PATH: process.env.PATH ?? '' },
        stderr: 'pipe',
      }),
    )
    try {
      // biome-ignore lint/suspicious/noExplicitAny: the answers are looked at as an agent would that knows no schema
      const call = async (name: string, args: Record<string, unknown>): Promise<any> => {
        const result = await client.callTool({ name, arguments: args })
        assert.ok(!result.isError, textOf(result))
        return result.structuredContent
      }
      const refusedCall = async (name: string, args: Record<string, unknown>): Promise<string> => {
        const result = await client.callTool({ name, arguments: args })
        assert.equal(result.isError, true, textOf(result))
        return textOf(result)
      }
      const { tools } = await client.listTools()
      for (const name of ['expose_port', 'list_requests', 'replay_request', 'list_servers'])
        assert.ok(
          tools.some((tool) => tool.name === name),
          name,
        )
      assert.match(await refusedCall('expose_port', {}), /port does not fit/)
      assert.match(await refusedCall('expose_port', { port: 70_000 }), /port does not fit/)
      assert.match(await refusedCall('expose_port', { port, name: 'Not A Label' }), /name does not fit/)
      assert.match(await refusedCall('expose_port', { port, host: '192.168.0.1' }), /host/)
      assert.match(await refusedCall('stop_exposing_port', { name: 'web' }), /No port .* as web .* exposes: none/)

      const web = await call('expose_port', { port, name: 'web' })
      assert.equal(web.local, `localhost:${port}`)
      assert.deepEqual(await call('expose_port', { port, name: 'web' }), web)
      assert.equal((await world.visit(web.url, '/before')).body, 'you asked for /before')
      await world.acme.acme.setTunnelCapture({ params: { tunnel: web.tunnel }, body: { mode: 'full' } })
      await world.visit(web.url, '/order?item=1')
      const captured = await eventually(async () => {
        const { requests } = await call('list_requests', { tunnel: web.tunnel, limit: 10 })
        return requests.find(
          (one: { target: string; captured: boolean }) => one.target.startsWith('/order') && one.captured,
        )
      }, 'the request is captured')
      const whole = await client.callTool({
        name: 'get_request',
        arguments: { tunnel: web.tunnel, request: captured.id },
      })
      assert.match(textOf(whole), /what visitors have sent.*do nothing that it says/)
      assert.match(textOf(whole), /you asked for \/order/)
      const again = await call('replay_request', { tunnel: web.tunnel, request: captured.id, target: '/order?item=2' })
      assert.equal(again.response.body.text, 'you asked for /order?item=2')
      assert.match(await refusedCall('get_request', { tunnel: web.tunnel, request: 'none' }), /list_/)

      await call('stop_exposing_port', { name: 'web' })
      await eventually(async () => (await world.visit(web.url)).status !== 200, 'visitors find nothing there')
      await call('expose_port', { port, name: 'last' })
    } finally {
      await client.close()
    }
    await eventually(
      async () => (await world.acme.acme.tunnels()).tunnels.every(({ open }) => !open),
      'what was exposed ends with the program',
    )
  })
})

/** What the command answers to these messages, one a line, when its client then closes its end. */
async function spoken(
  flags: readonly string[],
  messages: readonly unknown[],
  env: Record<string, string> = { HOME: world.home },
): Promise<{ code: number; replies: Map<unknown, Record<string, unknown>>; talk: string }> {
  const stdin = new PassThrough()
  const replies = new Map<unknown, Record<string, unknown>>()
  let talk = ''
  let rest = ''
  const wanted = messages.filter((message) => typeof message === 'object' && message !== null && 'id' in message).length
  const unused = async (): Promise<void> => assert.fail('this command starts no role')
  const running = runCli(['mcp', ...flags], {
    env,
    cwd: world.home,
    root,
    streams: {
      data: (text) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const message = JSON.parse(line)
          if ('id' in message) replies.set(message.id, message)
        }
        if (replies.size >= wanted) stdin.end()
      },
      talk: (text) => {
        talk += text
      },
    },
    stdin,
    signal: new AbortController().signal,
    roles: { up: unused, panel: unused, node: unused, joinNode: unused, edge: unused },
  })
  for (const message of messages) stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
  if (wanted === 0) stdin.end()
  return { code: await running, replies, talk }
}

const initialize = (id = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'by hand', version: '1' } },
})
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }

describe('the command', () => {
  test('serves clients of 2025, too, and with --read-only no tool that changes anything', async () => {
    const { code, replies } = await spoken(
      ['--read-only'],
      [
        initialize(),
        initialized,
        { jsonrpc: '2.0', id: 2, method: 'tools/list' },
        { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'expose_port', arguments: { port } } },
      ],
    )
    assert.equal(code, 0)
    const { tools } = (replies.get(2)?.result ?? { tools: [] }) as { tools: { name: string }[] }
    const names = tools.map(({ name }) => name)
    assert.ok(names.includes('list_servers') && names.includes('list_requests'))
    assert.ok(!names.some((name) => /^(create|delete|write|expose|power|replay|close)/.test(name)), names.join(' '))
    assert.match(JSON.stringify(replies.get(3)?.error), /There is no tool/)
  })
  test('refuses messages before the first, of unknown methods, and of no shape, and goes on', async () => {
    const { code, replies } = await spoken(
      [],
      [
        initialize(),
        initialized,
        'this is no message',
        '{"jsonrpc":"1.0"}',
        { jsonrpc: '2.0', id: 2, method: 'tools/burn' },
        { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { arguments: {} } },
        { jsonrpc: '2.0', id: 4, method: 'ping' },
      ],
    )
    assert.equal(code, 0)
    assert.match(JSON.stringify(replies.get(2)?.error), /-32601/)
    assert.ok(replies.get(3)?.error)
    assert.deepEqual(replies.get(4)?.result, {})
  })
  test('ends when a message is larger than it takes', async () => {
    const { code } = await spoken([], [initialize(), `"${'x'.repeat(messageBytesMax + 1)}`, initialize(2)])
    assert.equal(code, 0)
  })
  test('says where a key comes from when there is none, and prints nothing but the protocol', async () => {
    const { code, replies, talk } = await spoken([], [initialize()], { HOME: join(world.home, 'nobody') })
    assert.deepEqual([code, replies.size], [1, 0])
    assert.match(talk, /PHAROS_API_KEY/)
  })
  test('tells an agent whose key has ended what to do', async () => {
    const { replies } = await spoken(
      [],
      [
        initialize(),
        initialized,
        { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'list_servers', arguments: {} } },
        { jsonrpc: '2.0', id: 3, method: 'tools/list' },
      ],
      { HOME: world.home, PHAROS_URL: world.url, PHAROS_API_KEY: 'phk_revoked' },
    )
    assert.match(JSON.stringify(replies.get(2)), /"isError":true/)
    assert.match(JSON.stringify(replies.get(2)), /ask the person you work for/)
    assert.match(JSON.stringify(replies.get(3)?.error), /key/)
  })
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { runCli } from '../../src/cli/cli.ts'
import { createOutput } from '../../src/cli/output.ts'
import { ApiError } from '../../src/client/index.ts'
import {
  type JoinedFake,
  keyOf,
  type Person,
  type ServersWorld,
  startServersWorld,
  until,
} from '../world/servers-world.ts'

// biome-ignore lint/suspicious/noTemplateCurlyInString: what some template engine would replace
const placeholders = '{{7*7}} ${7*7} <%= 7*7 %>'

/**
 * What a game, or a node that is not ours any more, may print to play games with whoever looks: each with the text that a
 * person may see of it.
 */
const hostile = [
  '\u001b]52;c;ZXZpbA==\u0007clipboard',
  '\u001b]0;You are root\u0007title',
  '\u001b]8;;http://evil.example\u001b\\link\u001b]8;;\u001b\\',
  '\u001b[2J\u001b[Hcleared',
  '\u001b[1A\u001b[2Kover the line above',
  '\u001b[?1049hother screen',
  '\u001bP+q544e\u001b\\asked',
  '\u001b[6n\u001b[>cposition',
  '\u009b31mone character CSI',
  '\u009d52;c;ZXZpbA==\u009cone character OSC',
  'back\b\b\b\bspace and \u007f',
  'carriage\rreturn',
  'two\nlines',
  'bell\u0007null\u0000',
  '\u202etxt.exe turned\u2066',
  '\u001b]52;c;never ended',
  '<script>alert(1)</script><img src=x onerror=alert(1)>',
  placeholders,
]

/** Every control character but tab and line end, both ways to begin an escape sequence, and what turns text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

let world: ServersWorld
let ada: Person
let node: JoinedFake
let server: string
before(async () => {
  world = await startServersWorld()
  const workspaceId = await world.workspace('acme')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
  const { id } = await ada.api.createServer({ body: { name: 'Hostile', template: 'paper' } })
  server = keyOf(id)
  await until('running', async () => (await ada.api.server({ params: { serverId: server } })).status === 'running')
})
after(() => world?.[Symbol.asyncDispose]())

/** A command line at a terminal; what it writes there. */
async function atTerminal(line: string[], signal = new AbortController().signal) {
  const home = await mkdtemp(join(tmpdir(), 'pharos-terminal-'))
  let written = ''
  const write = (text: string): void => {
    written += text
  }
  const never = async (): Promise<void> => assert.fail('no role is started')
  const origin = new URL(world.baseUrl).origin
  const done = runCli(line, {
    env: { HOME: home, PHAROS_URL: origin, PHAROS_API_KEY: ada.token },
    cwd: home,
    root: join(import.meta.dirname, '..', '..'),
    streams: { data: write, talk: write },
    stdin: Readable.from([]),
    signal,
    roles: { up: never, panel: never, node: never, joinNode: never, edge: never },
  }).finally(() => rm(home, { recursive: true, force: true }))
  return { done, written: () => written }
}

test('no line of a console carries an escape sequence to a viewer, live or later, whatever its node sends (CVE-2025-14701)', async () => {
  const live = await ada.watch(server, 1000)
  const shown: string[] = []
  const reading = (async () => {
    for await (const event of live)
      if (event.type === 'console') {
        shown.push(...event.lines.map(({ text }) => text))
        if (shown.includes('the end')) return
      }
  })()
  node.print(server, ...hostile, 'the end')
  await reading
  live.close()
  const { logs } = await ada.api.consoleLog({ params: { serverId: server }, query: { size: '1000' } })
  for (const lines of [shown, logs]) {
    assert.ok(lines.length >= hostile.length)
    for (const line of lines) assert.ok(!harmful.test(line) && !line.includes('\n'), JSON.stringify(line))
    // Markup is text like any other: it is kept, and never interpreted.
    assert.ok(lines.includes('<script>alert(1)</script><img src=x onerror=alert(1)>'))
    assert.ok(lines.includes(placeholders))
  }
})

test('a terminal that shows a console is written no escape sequence, with and without --json (CVE-2025-14701)', async () => {
  node.print(server, ...hostile)
  for (const flags of [[], ['--json']]) {
    const { done, written } = await atTerminal(['servers', 'console', server, '--size', '1000', ...flags])
    assert.equal(await done, 0, written())
    assert.ok(written().includes('clipboard'))
    assert.ok(!harmful.test(written()), JSON.stringify(harmful.exec(written())))
  }
})

test('the same while it follows', async () => {
  const interrupted = new AbortController()
  const { done, written } = await atTerminal(
    ['servers', 'console', server, '--follow', '--size', '1'],
    interrupted.signal,
  )
  await until('it follows', () => written().length > 0)
  node.print(server, ...hostile, 'follow me')
  await until('it shows them', () => written().includes('follow me'))
  interrupted.abort()
  await done
  assert.ok(!harmful.test(written()), JSON.stringify(harmful.exec(written())))
})

test('whatever a command prints, a terminal is not steered by it (CVE-2025-14701)', () => {
  let written = ''
  const write = (text: string): void => {
    written += text
  }
  for (const asJson of [false, true]) {
    const out = createOutput({ data: write, talk: write }, asJson)
    for (const text of hostile) {
      out.result({ text }, () => text)
      out.event({ text }, () => text)
      out.talk(text)
    }
  }
  assert.ok(!harmful.test(written), JSON.stringify(harmful.exec(written)))
})

test('a NUL in a command over the live connection is refused as in a request (design: NUL)', async () => {
  const socket = new WebSocket(`${world.baseUrl}/servers/${server}/events`.replace('http', 'ws'), {
    headers: { authorization: `Bearer ${ada.token}` },
  })
  await once(socket, 'open')
  const asked = node.asked.length
  socket.send(JSON.stringify({ type: 'command', command: 'say a\u0000b' }))
  const [code, reason] = await once(socket, 'close')
  assert.equal(code, 1008)
  assert.match(String(reason), /message\.command contains a NUL/)
  assert.ok(!node.asked.slice(asked).some((ask) => ask.startsWith('command')))
})

test('a line end or another control character in a command starts no second command (design: injection)', async () => {
  const asked = node.asked.length
  for (const command of ['say a\nop me', 'say a\rop me', 'a\u0000b', '\u001b[2J', 'a\u0085b'])
    await assert.rejects(
      ada.api.consoleCommand({ params: { serverId: server }, body: { command } }),
      (error) => error instanceof ApiError && error.code === 'invalid_request',
      JSON.stringify(command),
    )
  assert.ok(!node.asked.slice(asked).some((ask) => ask.startsWith('command')))
})

test('a viewer that reads too slowly is told so with a code that is no ordinary end (CVE-2025-69199)', async () => {
  const stuck = new WebSocket(`${world.baseUrl}/servers/${server}/events`.replace('http', 'ws'), {
    headers: { authorization: `Bearer ${ada.token}` },
  })
  await once(stuck, 'open')
  stuck.pause()
  const closed = once(stuck, 'close')
  await until('it watches', () => world.viewers.size === 1)
  const reader = await ada.watch(server, 0)
  let read = 0
  const reading = (async () => {
    for await (const event of reader) if (event.type === 'console') read += event.lines.length
  })()
  await until('both watch', () => world.viewers.size === 2)
  const long = 'x'.repeat(16_000)
  for (let printed = 0; world.viewers.size === 2; ) {
    assert.ok(printed < 10_000, 'it was never let go of')
    node.print(server, ...Array.from({ length: 25 }, () => long))
    printed += 25
    // The one that reads sets the pace: so what waits, waits for the other one.
    const from = read
    await until('the other one reads', () => read > from)
  }
  reader.close()
  await reading
  stuck.resume()
  const [code, reason] = await closed
  assert.equal(code, 1013)
  assert.match(String(reason), /slower than the server speaks: connect again/)
})

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { rawVisitor, tcpService, tempFolder } from '../../src/edge/testing/world.ts'
import { reservePort } from '../ports.ts'
import { startAcme } from '../world/panel.ts'
import { type Command, startCommand } from '../world/pharos-command.ts'

/** Real processes of edge, agent and command line: where their secrets come from, and where they may not be seen. */

const main = join(import.meta.dirname, '../../src/main.ts')

/** What every user of the machine can read of a process. */
const argumentsOf = async ({ child }: Command): Promise<string> =>
  (await readFile(`/proc/${child.pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')

test('no token of edge, agent or command line is in the list of processes or in what they say, at its most talkative (S6)', async (t) => {
  await using closer = new AsyncDisposableStack()
  const home = await tempFolder(closer)
  const world = closer.use(await startAcme({ kind: 'sqlite', file: join(home, 'panel.db') }))
  const { credential: given } = await world.panel.registerLocalEdge('edge')
  const [credential, key] = [given.reveal(), world.key]
  const run = (args: string[], env: Record<string, string>): Command => {
    const command = startCommand(main, home, join(home, 'data'), args, { env })
    t.after(() => command.child.kill('SIGKILL'))
    return command
  }
  const port = await reservePort()
  const credentialFile = join(home, 'edge-credential')
  await writeFile(credentialFile, `${credential}\n`, { mode: 0o600 })
  const edge = run(
    [
      ...['edge', '--log-level', 'debug', '--edge-listen-host', '127.0.0.1', '--edge-http-port', '0'],
      ...['--edge-ports', `${port}-${port}`, '--edge-credential-file', credentialFile],
      ...['--edge-panels', `127.0.0.1:${world.panel.port}#${world.panel.pin}`],
    ],
    {},
  )
  await edge.says(/Edge up/)
  const service = await tcpService(closer, (socket) => socket.pipe(socket))
  const account = { PHAROS_URL: `http://127.0.0.1:${world.panel.port}`, PHAROS_API_KEY: key }
  const agent = run(['open', String(service), '--tcp', '--as', 'game'], account)
  await agent.says(/tcp:\/\//)
  const visitor = await rawVisitor(closer, port)
  visitor.socket.write('hello')
  await visitor.until('hello')

  const badKey = `${key.slice(0, -4)}0000`
  const refused = run(['open', String(service), '--as', 'web'], { ...account, PHAROS_API_KEY: badKey })
  const listing = run(['edges', 'list', '--json'], account)
  assert.notEqual(await refused.ended, 0)
  assert.equal(await listing.ended, 0)
  for (const [name, command] of Object.entries({ edge, agent })) {
    const shown = await argumentsOf(command)
    assert.ok(shown.includes(main), `${name}: ${shown}`)
    for (const secret of [credential, key]) assert.ok(!shown.includes(secret), `${name}: ${shown}`)
  }
  for (const [name, command] of Object.entries({ edge, agent, refused, listing }))
    for (const secret of [credential, key, badKey]) assert.ok(!command.output().includes(secret), name)
})

test('no flag of any command takes a token: one that is given so is refused and not repeated (S6)', async (t) => {
  await using closer = new AsyncDisposableStack()
  const home = await tempFolder(closer)
  const secret = 'phk_this-is-a-secret-nobody-may-see'
  for (const args of [
    ['edge', '--edge-credential', secret],
    ['open', '3000', '--token', secret],
    ['edges', 'list', '--api-key', secret],
  ]) {
    const command = startCommand(main, home, join(home, 'data'), args)
    t.after(() => command.child.kill('SIGKILL'))
    assert.equal(await command.ended, 2, command.output())
    assert.ok(!command.output().includes(secret), command.output())
  }
})

test('no setting, account or token is read from the folder that a command is started in (S7)', async (t) => {
  await using closer = new AsyncDisposableStack()
  const [home, cwd] = [await tempFolder(closer), await tempFolder(closer)]
  // Whoever can write there would choose the panel that gets the key, or who may open tunnels.
  const account = JSON.stringify({ url: 'http://127.0.0.1:9', key: 'phk_planted' })
  const planted = [
    ['pharos.yaml', 'edge-tokens-file: tokens.json\nplanted: true\n'],
    ['data/pharos.yaml', 'edge-tokens-file: tokens.json\nplanted: true\n'],
    ['tokens.json', JSON.stringify({ 'a-planted-token-0001': 'acme' })],
    ['account.json', account],
    ['pharos/account.json', account],
    ['.config/pharos/account.json', account],
    ['.env', 'PHAROS_URL=http://127.0.0.1:9\nPHAROS_API_KEY=phk_planted\n'],
  ] as const
  for (const [path, content] of planted) {
    await mkdir(join(cwd, path, '..'), { recursive: true })
    await writeFile(join(cwd, path), content)
  }
  const run = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
    const command = startCommand(main, home, join(home, 'data'), args, { cwd })
    t.after(() => command.child.kill('SIGKILL'))
    return { code: await command.ended, output: command.output() }
  }
  const listing = await run('edges', 'list')
  assert.deepEqual([listing.code, /No panel is known/.test(listing.output)], [1, true], listing.output)
  const opening = await run('open', '3000')
  assert.deepEqual([opening.code, /No panel is known/.test(opening.output)], [1, true], opening.output)
  const edge = await run('edge')
  assert.notEqual(edge.code, 0)
  assert.match(edge.output, /An edge works either for panels .* or by itself with a tokens file/)
  assert.doesNotMatch(edge.output, /planted/)
})

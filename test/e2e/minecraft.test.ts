import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { handshakePacket, statusRequest } from '../../src/lib/testing/minecraft.ts'
import { patienceMs } from '../patience.ts'
import { type PortRange, reservePort, reservePorts } from '../ports.ts'
import { type Command, startCommand } from '../world/pharos-command.ts'
import { until } from '../world/servers-world.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const games = join(import.meta.dirname, '..', 'games')

test('two Minecraft servers of one installation share a port by host name, a player is on each, and one wakes for the next', {
  timeout: 10 * patienceMs,
}, async (t) => {
  if (!existsSync(join(games, 'node_modules', 'mineflayer'))) {
    if (process.env.CI === 'true') throw new Error('mineflayer is not installed')
    t.skip('mineflayer is not installed: npm test brings it')
    return
  }
  await using closer = new AsyncDisposableStack()
  const home = await mkdtemp(join(tmpdir(), 'pharos-minecraft-'))
  closer.defer(() => rm(home, { recursive: true, force: true }))
  const pharos = (...args: string[]): Command =>
    startCommand(main, home, join(home, 'data'), args, { env: npmSettings() })
  const done = async (...args: string[]): Promise<string> => {
    const running = pharos(...args)
    assert.equal(await running.ended, 0, running.output())
    return running.output()
  }
  const rangeOf = ({ first, last }: PortRange): string => `${first}-${last}`
  const minecraftPort = await reservePort()
  const up = pharos(
    'up',
    ...['--port', '0', '--edge-http-port', '0', '--edge-minecraft-port', String(minecraftPort)],
    ...['--edge-ports', rangeOf(await reservePorts(4)), '--node-ports', rangeOf(await reservePorts(4))],
  )
  closer.defer(async () => {
    up.child.kill('SIGTERM')
    await up.ended
  })
  await up.says(/Ctrl-C stops Pharos/)
  await done('setup', '--email', 'ada@example.com', '--workspace', 'Acme')

  const names = ['survival', 'creative']
  // A test that fails must not leave games running: Pharos would, on purpose.
  closer.defer(async () => {
    for (const name of names) await pharos('servers', 'delete', name, '--yes').ended
  })
  const settings = ['--set', 'WORLD=superflat', 'VIEW_DISTANCE=2']
  const create = async (name: string): Promise<void> => {
    const creating = pharos('servers', 'create', name, '--template', 'minecraft', ...settings)
    if ((await creating.ended) !== 0) assert.fail(`${creating.output()}\n${await done('servers', 'console', name)}`)
  }
  await Promise.all(names.map(create))
  await done('servers', 'wake-on-connect', 'survival', 'on', '--idle', '1')

  for (const name of names) {
    const host = `${name}.acme.localhost`
    const tunnels = JSON.parse(await done('list', '--json')).tunnels as { name: string; addresses: string[] }[]
    const tunnel = tunnels.find((one) => one.name === name)
    assert.ok(tunnel?.addresses.includes(`minecraft://${host}:${minecraftPort}`), JSON.stringify(tunnels))
    const player = `Bot_${name}`
    assert.match(await play(minecraftPort, host, player), /spawned/)
    for (const other of names) {
      const lines = await done('servers', 'console', other)
      if (other === name) assert.match(lines, new RegExp(`<${player}> hello ${host}`))
      else assert.doesNotMatch(lines, new RegExp(player))
    }
  }
  assert.match(await play(minecraftPort, 'nobody.acme.localhost', 'Eve'), /No tunnel here/)

  // Nobody plays there any more; to look at it, as a list of servers does, does not keep it awake.
  const host = 'survival.acme.localhost'
  await until('it sleeps', async () => (await listed(minecraftPort, host)).includes('asleep'), { everyMs: 1_000 })
  assert.equal(JSON.parse(await done('servers', 'show', 'survival', '--json')).status, 'sleeping')
  assert.match(await play(minecraftPort, host, 'Early'), /spawned/)
  assert.match(await done('servers', 'console', 'survival'), /Early joined: it wakes up/)
})

/** What a list of servers shows of a server; nothing while its game changes place with the doorman. */
async function listed(port: number, host: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(
    Buffer.concat([handshakePacket({ host, next: 1 }), statusRequest, Buffer.from('09010102030405060708', 'hex')]),
  )
  const parts: Buffer[] = []
  socket.on('data', (part) => parts.push(part))
  await once(socket, 'close')
  return Buffer.concat(parts).toString()
}

/**
 * How npm reaches its registry on this machine, and what it has already: the game was just installed beside the players, so nothing
 * is fetched again.
 */
function npmSettings(): Record<string, string> {
  const settings: Record<string, string> = {
    npm_config_cache: join(homedir(), '.npm'),
    npm_config_prefer_offline: 'true',
  }
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && /^(npm_config_(cache|registry)|node_extra_ca_certs|https?_proxy|no_proxy)$/i.test(name))
      settings[name] = value
  return settings
}

/** A player who types that host name, joins, says hello, and leaves once that has come back. Resolves to what became of it. */
async function play(port: number, host: string, name: string): Promise<string> {
  const child = spawn(process.execPath, ['-e', botScript, String(port), host, name], {
    cwd: games,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 2 * patienceMs,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  await once(child, 'close')
  return output
}

const botScript = `
const [port, host, username] = process.argv.slice(1)
const bot = require('mineflayer').createBot({ host: '127.0.0.1', port: Number(port), fakeHost: host, username, version: '1.16.5', auth: 'offline' })
bot.once('spawn', () => { console.log('spawned'); bot.chat('hello ' + host) })
bot.on('messagestr', (text) => { if (text.includes('hello ' + host)) process.exit() })
bot.on('kicked', (reason) => { console.log('kicked', reason); process.exit() })
bot.on('error', (error) => { console.log('error', error.message); process.exit(1) })
`

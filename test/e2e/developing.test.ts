import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { patienceMs } from '../patience.ts'
import { eventually } from '../world/panel.ts'
import { ask, startTunnelsWorld, type TunnelsWorld } from '../world/tunnels-world.ts'

let world: TunnelsWorld
before(async () => {
  world = await startTunnelsWorld()
})
after(() => world[Symbol.asyncDispose]())

/** A program that listens where it wants and says what it was given. */
const server = (listen: string): string[] => [
  process.execPath,
  '-e',
  `require('node:http').createServer((q, r) => r.end(JSON.stringify(process.env))).listen(${listen})`,
]

const isOpen = async (name: string): Promise<boolean> =>
  (await world.acme.acme.tunnels()).tunnels.some((tunnel) => tunnel.name === name && tunnel.open)

describe('pharos run', { timeout: 2 * patienceMs }, () => {
  test('serves a Vite dev server with hot reload through the tunnel, and ends both together', async (t) => {
    const folder = join(world.home, 'vite-app')
    await mkdir(folder)
    await symlink(join(import.meta.dirname, '..', '..', 'node_modules'), join(folder, 'node_modules'))
    await writeFile(join(folder, 'vite.config.js'), 'export default { cacheDir: ".vite", clearScreen: false }\n')
    await writeFile(join(folder, 'index.html'), '<script type="module" src="/main.js"></script>\n')
    const module = (version: number): string => `export const version = ${version}\nimport.meta.hot.accept()\n`
    await writeFile(join(folder, 'main.js'), module(0))

    const run = world.start(['run', '--', 'vite'], folder)
    t.after(() => run.child.kill('SIGKILL'))
    const [, address = '', local = ''] = await run.says(
      /(http:\/\/vite-app\.acme\.tunnels\.test:\d+) -> localhost:(\d+)/,
    )
    const { host } = new URL(address)

    // It refuses hosts that it does not know: the name of the tunnel is one that it was told.
    assert.equal((await ask(Number(local), 'other.test')).status, 403)
    assert.match((await world.visit(address)).body, /\/@vite\/client/)
    assert.match((await world.visit(address, '/main.js')).body, /version = 0/)

    const client = (await world.visit(address, '/@vite/client')).body
    const token = /const wsToken = "([^"]+)"/.exec(client)?.[1] ?? assert.fail('no token in Vite’s client')
    const socket = new WebSocket(`ws://127.0.0.1:${world.edge.httpPort}/?token=${token}`, 'vite-hmr', {
      headers: { host },
      origin: address,
    })
    t.after(() => socket.terminate())
    const heard: { type: string; updates?: { path: string }[] }[] = []
    socket.on('message', (message) => heard.push(JSON.parse(String(message))))
    await eventually(() => heard.some(({ type }) => type === 'connected'), 'Vite greets the page over the tunnel')
    // Whether it watches already is not told; what it must notice is the last change.
    let version = 0
    let changedAt = 0
    await eventually(async () => {
      if (performance.now() - changedAt > 1_000) {
        changedAt = performance.now()
        await writeFile(join(folder, 'main.js'), module(++version))
      }
      return heard.some(({ type, updates }) => type === 'update' && updates?.some(({ path }) => path === '/main.js'))
    }, 'Vite tells the page of the change over the tunnel')
    assert.match((await world.visit(address, '/main.js')).body, /version = [1-9]/)

    run.child.kill('SIGTERM')
    await run.ended
    await assert.rejects(ask(Number(local), 'localhost'), /ECONNREFUSED/)
    await eventually(async () => !(await isOpen('vite-app')), 'the tunnel is closed')
  })

  test('tells the command where to listen and what its address is, and finds it on another port', async (t) => {
    const run = world.start(['run', '--as', 'elsewhere', '--json', '--', ...server('0')])
    t.after(() => run.child.kill('SIGKILL'))
    const [line] = await run.says(/^\{.*\}$/m)
    const { name, url, local } = JSON.parse(line)
    assert.deepEqual([name, new URL(url).hostname], ['elsewhere', 'elsewhere.acme.tunnels.test'])
    const env = JSON.parse((await world.visit(url)).body)
    assert.notEqual(local, `localhost:${env.PORT}`)
    assert.partialDeepStrictEqual(env, {
      PHAROS_URL: url,
      PHAROS_TUNNEL_HOST: 'elsewhere.acme.tunnels.test',
      PHAROS_PANEL_URL: world.url,
      __VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS: 'elsewhere.acme.tunnels.test',
    })
    run.child.kill('SIGINT')
    // Node ends by the signal: as a shell tells it, 128 and its number.
    assert.equal(await run.ended, 130)
  })

  test('ends as the command does', async () => {
    const { code } = await world.ran(['run', '--as', 'brief', process.execPath, '-e', 'process.exitCode = 7'])
    assert.equal(code, 7)
    await eventually(async () => !(await isOpen('brief')), 'the tunnel is closed')
  })

  test('refuses a port that is in use, before anything is opened or started', async (t) => {
    const taken = createServer().listen(0)
    t.after(() => taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const { code, talk } = await world.ran(['run', '--port', String(port), '--', 'true'])
    assert.equal(code, 2)
    assert.match(talk, new RegExp(`Port ${port} is already in use.*--port.*pharos open ${port}`))
  })

  test('says what command there is not, as a shell would', async () => {
    const { code, talk } = await world.ran(['run', '--', 'no-such-program'])
    assert.equal(code, 127)
    assert.match(talk, /There is no command "no-such-program"/)
  })

  test('starts nothing where the tunnel is refused', async () => {
    const env = { PHAROS_URL: world.url, PHAROS_API_KEY: 'phk_wrong' }
    const { code, data } = await world.ran(['run', '--', 'touch', join(world.home, 'started')], { env })
    assert.deepEqual([code, data], [1, ''])
    await assert.rejects(chmod(join(world.home, 'started'), 0o600), /ENOENT/)
  })
})

describe('a project’s file', { timeout: 2 * patienceMs }, () => {
  test('is made and changed by "pharos link", and opened by name', async (t) => {
    const folder = join(world.home, 'linked')
    await mkdir(join(folder, 'deep'), { recursive: true })
    await writeFile(join(folder, 'tunnels.yaml'), '# Ours.\ntunnels:\n  - { name: old, port: 1 }\n')
    const service = createServer((_, reply) => reply.end('hello')).listen(0, '::1')
    t.after(() => service.close())
    await once(service, 'listening')
    const port = String((service.address() as AddressInfo).port)
    const linked = await world.ran(['link', port, '--as', 'web', '--json'], { cwd: join(folder, 'deep') })
    assert.deepEqual(JSON.parse(linked.data), {
      file: join(folder, 'tunnels.yaml'),
      panel: world.url,
      workspace: 'acme',
      tunnels: [
        { name: 'old', kind: 'http', local: 'localhost:1' },
        { name: 'web', kind: 'http', local: `localhost:${port}` },
      ],
    })
    const again = await world.ran(['link', port, '--as', 'old', '--tcp', '--json'], { cwd: folder })
    assert.deepEqual(JSON.parse(again.data).tunnels[0], { name: 'old', kind: 'tcp', local: `localhost:${port}` })

    const open = world.start(['open', 'web'], join(folder, 'deep'))
    t.after(() => open.child.kill('SIGKILL'))
    const [, address = ''] = await open.says(/(http:\S+) ->/)
    assert.equal((await world.visit(address)).body, 'hello')
    open.child.kill('SIGTERM')
    assert.equal(await open.ended, 0)
    const missing = await world.ran(['open', 'wbe'], { cwd: folder })
    assert.deepEqual([missing.code, missing.data], [2, ''])
    assert.match(missing.talk, /has no tunnel "wbe". It has: old, web/)
  })

  test('is not opened at another panel, or in another workspace, than it says', async () => {
    const folder = join(world.home, 'foreign')
    await mkdir(folder)
    for (const [place, words] of [
      ['panel: https://panel.example.org', /belong to https:\/\/panel\.example\.org.*pharos use/],
      ['workspace: others', /belong to workspace others, and the API key to acme/],
    ] as const) {
      await writeFile(join(folder, 'tunnels.yaml'), `${place}\ntunnels:\n  - { name: web, port: 3000 }\n`)
      for (const line of [['open'], ['agent'], ['run', '--', 'true']]) {
        const { code, talk } = await world.ran(line, { cwd: folder })
        assert.equal(code, 1, line.join(' '))
        assert.match(talk, words)
      }
    }
  })

  test('is refused with every problem named', async () => {
    const folder = join(world.home, 'wrong')
    await mkdir(folder)
    await writeFile(
      join(folder, 'tunnels.yaml'),
      'token: secret\ntunnels:\n  - { port: 3000 }\n  - { name: a, from: branch, port: 1 }\n',
    )
    const { code, talk } = await world.ran(['open'], { cwd: folder })
    assert.equal(code, 2)
    assert.match(talk, /token/)
    assert.match(talk, /tunnels\.0: needs either a name, or "from"[\s\S]*tunnels\.1: needs either/)
  })
})

describe('pharos check', { timeout: 2 * patienceMs }, () => {
  test('goes every way that tunnels take, and says that they are open', async () => {
    const { code, data, talk } = await world.ran(['check', '--json'])
    assert.equal(code, 0, talk)
    const { blocked, findings } = JSON.parse(data) as { blocked: boolean; findings: { check: string; state: string }[] }
    assert.equal(blocked, false)
    const states = Object.fromEntries(findings.map(({ check, state }) => [check, state]))
    assert.partialDeepStrictEqual(states, {
      'panel-tcp': 'ok',
      key: 'ok',
      clock: 'ok',
      'edge-tcp': 'ok',
      'edge-link': 'ok',
      'edge-websocket': 'ok',
      proxy: 'ok',
    })
    assert.ok('edge-udp' in states)
  })

  test('ends with 1 where something is in the way, and names the next move', async () => {
    const wrong = await world.ran(['check'], { env: { PHAROS_URL: world.url, PHAROS_API_KEY: 'phk_wrong' } })
    assert.equal(wrong.code, 1)
    assert.match(wrong.data, /BLOCKED {2}key .*refused[\s\S]*→ Make another one/)
    assert.doesNotMatch(wrong.data + wrong.talk, /phk_wrong/)
    const nobody = await world.ran(['check', '--json'], {
      env: { PHAROS_URL: 'http://127.0.0.1:1', PHAROS_API_KEY: 'phk_x', HTTPS_PROXY: 'http://proxy.test' },
    })
    assert.equal(nobody.code, 1)
    assert.partialDeepStrictEqual(JSON.parse(nobody.data).findings.at(-1), { check: 'proxy', state: 'warning' })
    const account = await world.ran(['check', '--json'], { env: { HOME: world.project } })
    assert.equal(JSON.parse(account.data).findings[0].check, 'account')
  })
})

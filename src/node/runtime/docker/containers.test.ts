import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type EngineKind, engineKinds, TestEngine, whyNoEngine } from '../../../../test/engines.ts'
import { until } from '../../../../test/world/servers-world.ts'
import type { ServerSpec } from '../../../contract/node.ts'
import { connectionTables, sightOf } from '../../doorman/connections.ts'
import { ask, makeSpec, openWorld, printed, reached, running, type World } from '../../testing/world.ts'

/** Starts an engine with an image; null, with the test skipped, where there can be none. */
async function engineFor(t: TestContext, kind: EngineKind): Promise<{ engine: TestEngine; image: string } | null> {
  const why = whyNoEngine(kind)
  if (why) {
    assert.ok(why.forbidden || process.env.CI !== 'true', why.words)
    t.skip(why.words)
    return null
  }
  let engine: TestEngine | null = null
  try {
    engine = await TestEngine.start(kind)
    const image = await engine.nodeImage()
    await engine.tryOut(image)
    return { engine, image }
  } catch (error) {
    await engine?.[Symbol.asyncDispose]()
    t.skip(String(error))
    return null
  }
}

for (const kind of engineKinds) {
  test(`servers in containers of ${kind}`, async (t) => {
    const started = await engineFor(t, kind)
    if (!started) return
    const { engine, image } = started
    // After the world, which needs it to end its servers.
    const world: World = await openWorld(t, { engine: { socket: engine.socket, network: 'host' } })
    t.after(() => engine[Symbol.asyncDispose]())
    const { dataDir } = world
    const contained = (template: Parameters<typeof makeSpec>[0] = {}, spec: Partial<ServerSpec> = {}) =>
      makeSpec(template, { container: { image }, ...spec })
    const ended = async (id: string): Promise<void> => {
      await world.servers.get(id).power('kill')
      await reached(world.servers, id, 'offline')
    }

    await t.test('the node says which engine it has', () => {
      assert.match(
        world.runtime.capabilities.containers?.engine ?? '',
        kind === 'docker' ? /^Docker Engine/ : /^Podman/,
      )
      assert.equal(world.runtime.capabilities.containers?.network, 'host')
    })

    await t.test('a server installs, starts, answers commands, and stops in an orderly way', async () => {
      const { servers } = world
      const spec = await running(servers, await contained({}, { variables: { GREETING: `it's "$(id)" \`x\`\n2` } }))
      assert.equal(await ask(servers, spec.id, 'echo hello', 'echo hello'), 'echo hello')
      assert.equal(await ask(servers, spec.id, 'env GREETING', 'env GREETING'), `env GREETING=it's "$(id)" \`x\``)
      assert.equal(await ask(servers, spec.id, 'env HOME', 'env HOME'), 'env HOME=/home/container')
      const usage = await servers.get(spec.id).run?.usage()
      assert.ok(usage && usage.memoryBytes > 1_000_000 && usage.processes >= 1 && usage.cpuSeconds > 0)
      await servers.get(spec.id).power('stop')
      const state = await reached(servers, spec.id, 'offline')
      assert.deepEqual([state.lastExit?.code, state.lastExit?.crashed], [0, false])
      assert.equal(await engine.engine.inspect(nameOf(dataDir, spec.id)), null)
    })

    await t.test('who is connected to a server is seen; while it sleeps a visitor wakes it', async () => {
      const { servers } = world
      const content = `const server = require('node:net').createServer((socket) => socket.pipe(socket))
server.listen(process.env.SERVER_PORT, () => console.log('Ready to play'))
process.on('SIGTERM', () => process.exit(0))`
      const spec = await contained(
        { files: [{ path: 'game.cjs', content }], stop: { by: 'signal', signal: 'SIGTERM' } },
        { wake: { idleMinutes: 1 } },
      )
      const port = spec.allocations[0]?.port ?? 0
      await running(servers, spec)
      const player = connect(port, '127.0.0.1')
      player.write('hello')
      assert.equal(String((await once(player, 'data'))[0]), 'hello')
      const folder = (await servers.get(spec.id).run?.networkFolder()) ?? null
      assert.deepEqual(await sightOf(connectionTables(folder), [port]), { is: 'used' })
      player.destroy()
      await servers.get(spec.id).fallAsleep('Nobody')
      await reached(servers, spec.id, 'sleeping')
      const visitor = await until('the door is open', async () => {
        const socket = connect(port, '127.0.0.1')
        const open = await once(socket, 'connect').catch(() => null)
        return open && socket
      })
      visitor.write('anybody?')
      assert.equal(String((await once(visitor, 'data'))[0]), 'anybody?')
      visitor.destroy()
      await ended(spec.id)
    })

    await t.test('it ends by the signal that its template names, and is killed where it does not listen', async () => {
      const { servers } = world
      const spec = await running(servers, await contained({ stop: { by: 'signal', signal: 'SIGTERM' } }))
      await servers.get(spec.id).power('stop')
      await printed(servers, spec.id, 'got SIGTERM')
      assert.equal((await reached(servers, spec.id, 'offline')).lastExit?.code, 0)
      const deaf = await running(servers, await contained({ stopTimeoutSeconds: 1 }))
      await ask(servers, deaf.id, 'deaf', 'deaf now')
      await servers.get(deaf.id).power('stop')
      const state = await reached(servers, deaf.id, 'offline')
      assert.deepEqual([state.lastExit?.signal, state.lastExit?.crashed], ['SIGKILL', false])
    })

    await t.test('what it exits with is told, and no line of a flood before that is lost', async () => {
      const { servers } = world
      const spec = await running(servers, await contained({}, { restartOnCrash: false }))
      await servers.get(spec.id).command('flood 20000')
      await printed(servers, spec.id, 'flood 19999')
      await servers.get(spec.id).command('crash 3')
      const state = await reached(servers, spec.id, 'offline')
      assert.deepEqual([state.lastExit?.code, state.lastExit?.crashed], [3, true])
      const log = await readFile(join(dataDir, 'servers', spec.id, 'console.log'), 'utf8')
      const flood = log.split('\n').filter((line) => line.startsWith('flood '))
      assert.deepEqual(
        flood,
        Array.from({ length: 20_000 }, (_, line) => `flood ${line}`),
      )
    })

    await t.test('one that takes too much memory is ended, and that is what is told', async () => {
      const { servers } = world
      const spec = await running(
        servers,
        await contained({}, { restartOnCrash: false, resources: { memory: 128, disk: 1000, cpu: 64 } }),
      )
      await servers.get(spec.id).command('eat')
      const state = await reached(servers, spec.id, 'offline')
      assert.equal(state.lastExit?.outOfMemory, true)
      assert.match(state.message ?? '', /ran out of memory.*128 MiB/)
    })

    await t.test('new limits hold while it runs, or it is said that they do not', async () => {
      const { servers } = world
      const spec = await running(servers, await contained())
      const state = await servers.put({ ...spec, revision: 2, resources: { memory: 300, disk: 1000, cpu: 0.5 } })
      if (state.message !== null) assert.match(state.message, /from its next start/)
      else assert.equal(kind, 'docker')
      await ended(spec.id)
    })

    await t.test('nothing of this machine or of other servers is within its reach', async () => {
      const { servers } = world
      const spec = await running(servers, await contained())
      await writeFile(join(dataDir, 'secret.txt'), 'secret')
      for (const code of [
        `require('fs').readFileSync('${dataDir}/secret.txt')`,
        `require('fs').readFileSync('${dataDir}/servers/${spec.id}/spec.json')`,
        `require('fs').readFileSync('/proc/1/root${dataDir}/secret.txt')`,
        `require('fs').writeFileSync('/usr/pharos-test', '')`,
        `require('fs').writeFileSync('/pharos-test', '')`,
        `require('fs').writeFileSync('/etc/passwd', '')`,
        `require('fs').writeFileSync('/.pharos/bin/sh', '')`,
        `require('fs').readFileSync('/.pharos/log')`,
        `require('fs').readFileSync('/proc/self/fd/1')`,
        `require('fs').openSync('/.pharos/in', 'r+')`,
        `require('fs').unlinkSync('/.pharos/log')`,
        `require('fs').statSync('${engine.socket}')`,
        `require('fs').statSync('/run/docker.sock')`,
        `require('fs').openSync('/dev/mem', 'r')`,
        `require('fs').writeFileSync('/sys/fs/cgroup/memory/memory.limit_in_bytes', '-1')`,
        `require('fs').writeFileSync('/proc/sys/kernel/hostname', 'x')`,
        'process.setuid(0)',
        'process.kill(1, 9), process.kill(0, 99)',
      ]) {
        const told = printed(servers, spec.id, `tried ${code.length}`)
        await servers
          .get(spec.id)
          .command(
            `eval (() => { try { ${code}; say('tried ${code.length} reached') } catch (error) { say('tried ${code.length} ' + error.code) } })()`,
          )
        assert.match(await told, / (E[A-Z]+|ERR_UNKNOWN_SIGNAL)$/, code)
        await writeFile(join(dataDir, 'servers', spec.id, 'console.log'), '')
      }
      const line = printed(servers, spec.id, 'eval {')
      await servers
        .get(spec.id)
        .command(
          `eval ({ uid: process.getuid(), status: require('fs').readFileSync('/proc/self/status', 'utf8').match(/^(CapEff|CapBnd|NoNewPrivs|Seccomp):.*$/gm), processes: require('fs').readdirSync('/proc').filter((name) => +name > 0).length })`,
        )
      const told = JSON.parse((await line).slice('eval '.length))
      assert.ok(told.uid >= 40_000 && told.uid < 50_000)
      assert.deepEqual(told.status, [
        'CapEff:\t0000000000000000',
        'CapBnd:\t0000000000000000',
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
      ])
      assert.ok(told.processes <= 3)
      await ended(spec.id)
    })

    await t.test('it moves between sandbox and container with its files', async () => {
      const { servers } = world
      const file = `require('fs').readFileSync('world.dat', 'utf8')`
      const inside = await contained()
      await running(servers, inside)
      await ask(servers, inside.id, `eval require('fs').writeFileSync('world.dat', 'kept')`, 'eval')
      await ended(inside.id)
      const { container: _, ...outside } = { ...inside, revision: 2 }
      await servers.put(outside)
      await servers.get(inside.id).power('start')
      await reached(servers, inside.id, 'running')
      assert.equal(await ask(servers, inside.id, `eval ${file} + '1'`, 'kept1'), 'eval "kept1"')
      await ended(inside.id)
      await servers.put({ ...inside, revision: 3 })
      await servers.get(inside.id).power('start')
      await reached(servers, inside.id, 'running')
      assert.equal(await ask(servers, inside.id, `eval ${file} + '2'`, 'kept2'), 'eval "kept2"')
      await ended(inside.id)
    })

    await t.test('an image that cannot be had fails the installation, in words', async () => {
      const { servers } = world
      const spec = await contained({}, { container: { image: 'localhost:1/nobody/nothing:1' } })
      await servers.put(spec)
      const state = await reached(servers, spec.id, 'install_failed')
      assert.match(
        state.message ?? '',
        /Image localhost:1\/nobody\/nothing:1 could not be pulled: .*reaches its registry/,
      )
      const none = await contained({}, { container: { image: null } })
      await servers.put(none)
      assert.match((await reached(servers, none.id, 'install_failed')).message ?? '', /names no container image/)
    })

    await t.test('a program that the image does not have fails the start, in words', async () => {
      const { servers } = world
      const spec = await contained({ start: { command: ['/no/such/program'] } }, { restartOnCrash: false })
      await servers.put(spec)
      await reached(servers, spec.id, 'offline')
      await servers.get(spec.id).power('start')
      await printed(servers, spec.id, '/no/such/program')
      await reached(servers, spec.id, (state) => state.lastExit?.code === 127)
    })

    await t.test('an installation script is root of its container, and what it makes is the server’s', async () => {
      const { servers } = world
      const text = 'cd /mnt/server\r\nnode -e "fs.writeFileSync(\'made.txt\', String(process.getuid()))"\r\nsleep 0\r\n'
      const spec = await contained({ install: { script: { image, entrypoint: '/bin/sh', text } } })
      await running(servers, spec)
      const read = `eval require('fs').readFileSync('made.txt', 'utf8') + require('fs').statSync('made.txt').uid`
      const owner = (await stat(join(dataDir, 'servers', spec.id, 'data'))).uid
      assert.equal(await ask(servers, spec.id, read, 'eval "0'), `eval "0${owner}"`)
      await ended(spec.id)
    })

    await t.test('it plays on while its node is away, and that which ended meanwhile is told', async () => {
      const spec = await running(world.servers, await contained({}, { restartOnCrash: false }))
      const gone = await running(world.servers, await contained({}, { restartOnCrash: false }))
      await world.servers.get(spec.id).command('echo before')
      await printed(world.servers, spec.id, 'echo before')
      await world.servers.get(gone.id).command('eval setTimeout(() => process.exit(9), 200)')
      await world.reopen()
      await reached(world.servers, gone.id, (state) => state.lastExit?.code === 9)
      assert.equal(await ask(world.servers, spec.id, 'echo after', 'echo after'), 'echo after')
      assert.equal(world.servers.get(spec.id).state().phase, 'running')
      await ended(spec.id)
    })

    await t.test('it plays on while its engine is killed, and is found again', async () => {
      const spec = await running(world.servers, await contained({ stopTimeoutSeconds: 120 }))
      await engine.down('SIGKILL')
      assert.equal(await ask(world.servers, spec.id, 'echo alone', 'echo alone'), 'echo alone')
      await world.reopen()
      assert.equal(world.servers.get(spec.id).state().phase, 'running')
      await engine.up({ keeps: false })
      await world.servers.get(spec.id).power('stop')
      assert.equal((await reached(world.servers, spec.id, 'offline')).lastExit?.code, 0)
    })

    // Podman has no daemon that could end them.
    if (kind !== 'docker') return

    await t.test('a server that its engine ended when it was restarted is started again', async () => {
      const spec = await running(world.servers, await contained())
      const { since } = world.servers.get(spec.id).state()
      await engine.down('SIGTERM')
      await engine.up()
      await printed(world.servers, spec.id, 'The container engine was restarted')
      await reached(world.servers, spec.id, (state) => state.phase === 'running' && state.since > since)
      await ended(spec.id)
    })

    await t.test(
      'in a network of its own it is reached at its ports, and reaches nothing on the machine’s loopback',
      async (t) => {
        const bridged = await openWorld(t, { engine: { socket: engine.socket, network: 'bridge' } })
        t.after(() => engine.engine.removeNetwork('pharos'))
        assert.equal(bridged.runtime.capabilities.containers?.network, 'bridge')
        const { servers } = bridged
        const spec = await running(servers, await contained())
        const port = spec.allocations[0]?.port ?? 0
        const listen = `eval require('net').createServer((socket) => socket.end('hello')).listen(${port}, () => say('listens')) && 1`
        await ask(servers, spec.id, listen, 'listens')
        assert.equal(await textFrom(port), 'hello')
        await using own = await listening()
        const knock = `eval require('net').connect(${own.port}, '127.0.0.1').on('error', (error) => say('knock ' + error.code)).on('connect', () => say('knock open')) && 1`
        assert.equal(await ask(servers, spec.id, knock, 'knock'), 'knock ECONNREFUSED')
      },
    )
  })
}

const nameOf = (dataDir: string, id: string): string =>
  `pharos-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}-${id}`

async function textFrom(port: number): Promise<string> {
  let text = ''
  for await (const chunk of connect(port, '127.0.0.1').setEncoding('utf8')) text += chunk
  return text
}

/** Something on this machine's loopback. */
async function listening(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // It listens on TCP.
  return { port, [Symbol.asyncDispose]: async () => void server.close() }
}

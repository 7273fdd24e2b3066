import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { AppError } from '../../contract/errors.ts'
import { systemClock } from '../../lib/clock.ts'
import { ask, makeSpec, openWorld, printed, reached, running } from '../testing/world.ts'

for (const runtime of ['sandbox', 'process'] as const) {
  test(`${runtime}: installs, starts, answers commands, stops in an orderly way`, async (t) => {
    const { servers, runtime: opened } = await openWorld(t, { runtime })
    if (opened.capabilities.runtime !== runtime) return t.skip(opened.capabilities.warnings.join('; '))
    const { id } = await running(servers, await makeSpec())
    assert.equal(await ask(servers, id, 'echo hello wörld', 'echo hello'), 'echo hello wörld')
    await servers.get(id).power('stop')
    const state = await reached(servers, id, 'offline')
    assert.deepEqual({ ...state.lastExit, at: 0 }, { code: 0, signal: null, outOfMemory: false, crashed: false, at: 0 })
    await assert.rejects(servers.get(id).command('echo'), /not running/)
  })

  test(`${runtime}: stops by signal, restarts, and kills what does not listen`, async (t) => {
    const { servers } = await openWorld(t, { runtime })
    const { id } = await running(servers, await makeSpec({ stop: { by: 'signal', signal: 'SIGTERM' } }))
    await servers.get(id).power('restart')
    await reached(servers, id, 'starting')
    await reached(servers, id, 'running')
    assert.ok((await servers.get(id).console.lines(100)).some((line) => line.text === 'got SIGTERM'))
    await servers.get(id).power('kill')
    const state = await reached(servers, id, 'offline')
    assert.equal(state.lastExit?.signal, 'SIGKILL')
    assert.equal(state.lastExit?.crashed, false)
  })

  test(`${runtime}: its processes and their children are gone after a kill`, async (t) => {
    const { servers } = await openWorld(t, { runtime })
    const { id } = await running(servers, await makeSpec())
    await servers.get(id).command('fork 5')
    await ask(servers, id, 'echo forked', 'echo forked')
    const run = servers.get(id).run
    assert.ok(((await run?.usage())?.processes ?? 0) >= 6)
    await servers.get(id).power('kill')
    await reached(servers, id, 'offline')
    assert.equal(await run?.usage(), null)
  })
}

test('kill overtakes a stop that hangs', async (t) => {
  const { servers } = await openWorld(t)
  const { id } = await running(servers, await makeSpec())
  await ask(servers, id, 'deaf', 'deaf now')
  await servers.get(id).power('stop')
  assert.equal(servers.get(id).state().phase, 'stopping')
  await servers.get(id).power('kill')
  await reached(servers, id, 'offline')
})

test('a stop that takes too long ends in a kill, and says so', async (t) => {
  const { servers } = await openWorld(t)
  const { id } = await running(servers, await makeSpec({ stopTimeoutSeconds: 1 }))
  await ask(servers, id, 'deaf', 'deaf now')
  await servers.get(id).power('stop')
  const state = await reached(servers, id, 'offline')
  assert.match(state.message ?? '', /did not stop within 1 seconds/)
  assert.equal(state.lastExit?.crashed, false)
})

test('a server that is never ready is ended and says so', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await makeSpec({ start: { command: ['node', 'game.cjs'], ready: 'Never said', timeoutSeconds: 1 } })
  await servers.put(spec)
  await reached(servers, spec.id, 'offline')
  await servers.get(spec.id).power('start')
  const state = await reached(
    servers,
    spec.id,
    (candidate) => candidate.phase === 'offline' && candidate.lastExit !== null,
  )
  assert.match(state.message ?? '', /not ready within 1 seconds/)
})

test('restarts a crashed server with growing pauses until it gives up', async (t) => {
  let now = 1_000_000
  const waits: number[] = []
  const clock = {
    now: () => now,
    // The pauses after a crash pass at once, everything else in its time.
    sleep: async (ms: number, signal?: AbortSignal) => {
      if (![5_000, 10_000, 30_000, 60_000, 120_000].includes(ms)) return systemClock.sleep(ms, signal)
      waits.push(ms)
      now += ms
    },
  }
  const { servers } = await openWorld(t, { clock })
  const spec = await makeSpec({
    start: { command: ['sh', '-c', 'exit 3'], ready: 'no', timeoutSeconds: 600 },
    stopTimeoutSeconds: 600,
  })
  await servers.put(spec)
  await reached(servers, spec.id, 'offline')
  await servers.get(spec.id).power('start')
  const state = await reached(servers, spec.id, (candidate) => candidate.message?.includes('stays off') ?? false)
  assert.equal(state.phase, 'offline')
  assert.deepEqual(state.lastExit && { code: state.lastExit.code, crashed: state.lastExit.crashed }, {
    code: 3,
    crashed: true,
  })
  assert.match(state.message ?? '', /crashed before it was ready with code 3.*crash 6/)
  assert.deepEqual(waits, [5_000, 10_000, 30_000, 60_000, 120_000])
})

test('leaves a crashed server alone when that was asked for, and one that ended without an error', async (t) => {
  const { servers } = await openWorld(t)
  const crashing = await running(servers, await makeSpec({}, { restartOnCrash: false }))
  await servers.get(crashing.id).command('crash 9')
  const crashed = await reached(servers, crashing.id, 'offline')
  assert.equal(crashed.lastExit?.code, 9)
  assert.match(crashed.message ?? '', /crashed with code 9/)
  const ending = await running(servers, await makeSpec())
  await servers.get(ending.id).command('crash 0')
  const ended = await reached(servers, ending.id, 'offline')
  assert.equal(ended.lastExit?.crashed, false)
  assert.match(ended.message ?? '', /ended by itself/)
})

test('refuses to start on a port that is taken, and says by whom', async (t) => {
  const { servers } = await openWorld(t)
  const first = await running(servers, await makeSpec({}, { name: 'first' }))
  const second = await makeSpec({}, { name: 'second', allocations: first.allocations })
  await servers.put(second)
  await reached(servers, second.id, 'offline')
  await assert.rejects(
    servers.get(second.id).power('start'),
    (error) => error instanceof AppError && error.code === 'conflict' && /used by server first/.test(error.message),
  )
  const stranger = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => stranger.once('listening', resolve))
  t.after(() => stranger.close())
  const address = stranger.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await servers.put({ ...second, revision: 2, allocations: [{ id: 'x', port, tunnel: false }] })
  await assert.rejects(servers.get(second.id).power('start'), new RegExp(`TCP port ${port} is used by another program`))
  assert.equal(servers.get(second.id).state().phase, 'offline')
})

test('a failed installation says why, keeps its log, and can be repeated', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await makeSpec({ install: { run: ['sh', '-c', 'echo fetching; echo no such version >&2; exit 4'] } })
  await servers.put(spec)
  const state = await reached(servers, spec.id, 'install_failed')
  assert.match(state.message ?? '', /ended with code 4/)
  const lines = (await servers.get(spec.id).console.lines(100)).map((line) => line.text)
  assert.ok(lines.includes('fetching') && lines.includes('no such version'), lines.join('\n'))
  await assert.rejects(servers.get(spec.id).power('start'), /installation failed.*reinstall/)
  await servers.put({
    ...spec,
    revision: 2,
    template: {
      ...spec.template,
      install: { ...spec.template.install, run: ['sh', '-c', 'echo done > installed.txt'] },
    },
  })
  await servers.get(spec.id).power('reinstall')
  await reached(servers, spec.id, 'offline')
  await servers.get(spec.id).power('start')
  await reached(servers, spec.id, 'running')
})

test('an installation that hangs ends with its time limit, or with a kill', async (t) => {
  const { servers } = await openWorld(t)
  const slow = await makeSpec({ install: { run: ['sleep', '1000'], timeoutSeconds: 1 } })
  await servers.put(slow)
  assert.match((await reached(servers, slow.id, 'install_failed')).message ?? '', /longer than 1 seconds/)
  const hanging = await makeSpec({ install: { run: ['sh', '-c', 'echo begun; sleep 1000'] } })
  await servers.put(hanging)
  await printed(servers, hanging.id, 'begun')
  await assert.rejects(servers.get(hanging.id).power('start'), /still being installed/)
  await servers.get(hanging.id).power('kill')
  assert.match((await reached(servers, hanging.id, 'install_failed')).message ?? '', /cancelled/)
})

test('refuses what makes no sense: commands with newlines, a start while suspended, unknown servers', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec())
  await assert.rejects(servers.get(spec.id).command('echo a\nstop'), /one line/)
  await assert.rejects(servers.get(spec.id).command('x'.repeat(4096)), /too long/)
  await servers.put({ ...spec, revision: 2, suspended: true })
  await reached(servers, spec.id, 'offline')
  await assert.rejects(servers.get(spec.id).power('start'), /suspended/)
  assert.throws(() => servers.get('00000000'), /not found/)
})

test('ignores a spec that is older than what it has', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await makeSpec({}, { revision: 5 })
  await servers.put(spec)
  await servers.put({ ...spec, revision: 4, name: 'older' })
  assert.equal(servers.get(spec.id).spec.name, 'lobby')
  assert.equal((await servers.put({ ...spec, revision: 6, name: 'newer' })).revision, 6)
  await reached(servers, spec.id, 'offline')
})

test('a console that nobody reads is a conflict, not a wait', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec({ start: { command: ['sleep', '1000'] } }))
  const filling = async (): Promise<void> => {
    for (let count = 0; count < 100; count++) await servers.get(spec.id).command('x'.repeat(4000))
  }
  await assert.rejects(filling(), /does not read its console/)
})

test('variables are filled in once, by argument, never by a shell', async (t) => {
  const { servers } = await openWorld(t)
  const hostile = '{{SERVER_PORT}} $(touch /tmp/x) "; exit 1'
  const spec = await makeSpec(
    {
      start: {
        command: [
          'node',
          '-e',
          'console.log(JSON.stringify([process.argv[1], process.env.MOTD, process.env.EXTRA]))',
          '{{MOTD}}',
        ],
        environment: { EXTRA: '<{{MOTD}}>' },
      },
      files: [{ path: 'config/motd.txt', content: 'motd={{MOTD}} port={{SERVER_PORT}} {{UNKNOWN}}' }],
    },
    { variables: { MOTD: hostile } },
  )
  await servers.put(spec)
  await reached(servers, spec.id, 'offline')
  await servers.get(spec.id).power('start')
  const line = await printed(servers, spec.id, 'SERVER_PORT')
  assert.deepEqual(JSON.parse(line), [hostile, hostile, `<${hostile}>`])
  await reached(servers, spec.id, (state) => state.lastExit !== null)
})

test('writes template files, each time or once, and never through a link that the server planted', async (t) => {
  const world = await openWorld(t)
  const { servers } = world
  const spec = await makeSpec({
    files: [
      { path: 'a/always.txt', content: 'port {{SERVER_PORT}}' },
      { path: 'once.txt', content: 'first', once: true },
    ],
    start: { command: ['sleep', '1000'] },
  })
  await servers.put(spec)
  await reached(servers, spec.id, 'offline')
  const data = join(world.dataDir, 'servers', spec.id, 'data')
  assert.equal(await readFile(join(data, 'a/always.txt'), 'utf8'), `port ${spec.allocations[0]?.port}`)
  await writeFile(join(data, 'once.txt'), 'mine')
  await writeFile(join(data, 'a/always.txt'), 'mine')
  await servers.get(spec.id).power('start')
  await reached(servers, spec.id, 'running')
  assert.equal(await readFile(join(data, 'once.txt'), 'utf8'), 'mine')
  assert.match(await readFile(join(data, 'a/always.txt'), 'utf8'), /^port/)
  const owner = (await stat(data)).uid
  assert.equal((await stat(join(data, 'a/always.txt'))).uid, owner)
  await servers.get(spec.id).power('kill')
  await reached(servers, spec.id, 'offline')

  const outside = join(world.dataDir, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'always.txt'), 'untouched')
  await import('node:fs/promises').then((fs) => fs.rm(join(data, 'a'), { recursive: true }))
  await symlink(outside, join(data, 'a'))
  await servers.get(spec.id).power('start')
  const state = await reached(servers, spec.id, 'offline')
  assert.match(state.message ?? '', /"a\/always\.txt" leads outside the server's folder/)
  assert.equal(await readFile(join(outside, 'always.txt'), 'utf8'), 'untouched')
})

test('removing kills it, leaves nothing, and may be repeated', async (t) => {
  const world = await openWorld(t)
  const { id } = await running(world.servers, await makeSpec())
  await world.servers.remove(id)
  await world.servers.remove(id)
  assert.deepEqual(await readdir(join(world.dataDir, 'servers')), [])
  assert.throws(() => world.servers.get(id), /not found/)
})

test('a broken server folder does not keep the others from coming back', async (t) => {
  const world = await openWorld(t)
  const { id } = await running(world.servers, await makeSpec())
  await mkdir(join(world.dataDir, 'servers/deadbeef'))
  await writeFile(join(world.dataDir, 'servers/deadbeef/spec.json'), '{broken')
  await world.reopen()
  assert.equal(world.servers.get(id).state().phase, 'running')
  assert.deepEqual(
    world.servers.list().map((state) => state.id),
    [id],
  )
})

import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ask, makeSpec, openWorld, printed, reached, running, type World } from '../testing/world.ts'

/** What this machine must be able to do for a test; elsewhere it is skipped in plain words, but never where everything is said to be there. */
function needs(
  t: TestContext,
  world: World,
  ...abilities: ('isolation' | 'ownUser' | 'memoryLimit' | 'cpuLimit' | 'processLimit')[]
): boolean {
  const missing = abilities.filter((ability) => !world.runtime.capabilities[ability])
  if (missing.length === 0) return true
  const why = `this machine cannot do ${missing.join(', ')}: ${world.runtime.capabilities.warnings.join('; ')}`
  assert.notEqual(process.env.CI, 'true', why)
  t.skip(why)
  return false
}

test('a server that takes too much memory is ended, and that is what is told', async (t) => {
  const world = await openWorld(t)
  if (!needs(t, world, 'memoryLimit')) return
  const { servers } = world
  const spec = await running(
    servers,
    await makeSpec({}, { restartOnCrash: false, resources: { memory: 128, disk: 1000, cpu: 2 } }),
  )
  await servers.get(spec.id).command('eat')
  const state = await reached(servers, spec.id, 'offline')
  assert.equal(state.lastExit?.outOfMemory, true)
  assert.equal(state.lastExit?.crashed, true)
  assert.match(state.message ?? '', /ran out of memory.*128 MiB/)
})

test('a server cannot start more processes than its limit (CVE-2021-32699)', async (t) => {
  const world = await openWorld(t, { processesMax: 40 })
  if (!needs(t, world, 'processLimit')) return
  const { servers } = world
  const spec = await running(servers, await makeSpec())
  await ask(servers, spec.id, 'fork 100', 'fork refused')
  assert.ok(((await servers.get(spec.id).run?.usage())?.processes ?? 99) <= 40)
})

test('a server gets no more processor time than its share', async (t) => {
  const world = await openWorld(t)
  if (!needs(t, world, 'cpuLimit')) return
  const { servers } = world
  const spec = await running(
    servers,
    await makeSpec(
      { start: { command: ['sh', '-c', 'while :; do :; done'] } },
      { resources: { memory: 64, disk: 1000, cpu: 0.2 } },
    ),
  )
  let usage = 0
  for (let sample = 0; sample < 2; sample++) {
    usage = await new Promise<number>((resolve) => {
      const stop = servers.events.on((event) => {
        if (event.type !== 'usage' || event.id !== spec.id || event.usage.cpuCores === 0) return
        stop()
        resolve(event.usage.cpuCores)
      })
    })
  }
  assert.ok(usage > 0.02 && usage < 0.4, `${usage} cores`)
})

test("a server cannot read another one's files, nor the node's", async (t) => {
  const world = await openWorld(t)
  if (!needs(t, world, 'isolation')) return
  const { servers, dataDir } = world
  const other = await running(servers, await makeSpec({}, { name: 'other' }))
  await writeFile(join(dataDir, 'servers', other.id, 'data/secret.txt'), 'secret')
  const spec = await running(servers, await makeSpec())
  await servers
    .get(spec.id)
    .command(`eval require('fs').readFileSync('${dataDir}/servers/${other.id}/data/secret.txt')`)
  assert.match(await printed(servers, spec.id, 'eval'), /eval failed ENOENT/)
})

for (const [what, code] of [
  ['write into /usr', `require('fs').writeFileSync('/usr/pharos-test', '')`],
  ['write into /', `require('fs').writeFileSync('/pharos-test', '')`],
  ['write into /etc', `require('fs').writeFileSync('/etc/passwd', '')`],
  ['write into the shared Node.js', `require('fs').writeFileSync('/opt/node/bin/node', '')`],
  ['read the accounts of the machine', `require('fs').readFileSync('/etc/shadow')`],
  ['leave through the root of the first process', `require('fs').readdirSync('/proc/1/root/root')`],
  ['open its own log to read what the node wrote', `require('fs').readFileSync('/proc/self/fd/1')`],
  ['change its system user', `process.setuid(0)`],
  ['write its own end into the status file', `require('fs').writeFileSync('/proc/1/fd/3', '{"exit-code":0}')`],
] as const) {
  test(`a server cannot ${what}`, async (t) => {
    const world = await openWorld(t)
    // Without a user of its own the log belongs to the same user as the server.
    if (!needs(t, world, 'isolation', ...(code.includes('/fd/1') ? (['ownUser'] as const) : []))) return
    const { servers } = world
    const spec = await running(servers, await makeSpec())
    await servers.get(spec.id).command(`eval ${code}`)
    assert.match(await printed(servers, spec.id, 'eval'), /eval failed E(NOENT|ACCES|PERM|ROFS|INVAL)/)
  })
}

test('a server sees only its own processes and runs as a user of its own, without privileges', async (t) => {
  const world = await openWorld(t)
  if (!needs(t, world, 'isolation', 'ownUser')) return
  const { servers } = world
  const spec = await running(servers, await makeSpec())
  const processes = await ask(
    servers,
    spec.id,
    `eval require('fs').readdirSync('/proc').filter((name) => +name > 0).length`,
    'eval',
  )
  assert.match(processes, /eval [1-4]$/)
  const status = await (async () => {
    const line = printed(servers, spec.id, 'eval {')
    await servers
      .get(spec.id)
      .command(
        `eval ({ uid: process.getuid(), caps: /CapEff:\\s+(\\w+)/.exec(require('fs').readFileSync('/proc/self/status', 'utf8'))[1], groups: process.getgroups() })`,
      )
    return JSON.parse((await line).slice('eval '.length))
  })()
  assert.ok(status.uid >= 40_000 && status.uid < 50_000)
  assert.equal(Number.parseInt(status.caps, 16), 0)
})

test('values of variables are not in the process list of the machine', async (t) => {
  const world = await openWorld(t)
  if (!needs(t, world, 'isolation')) return
  const { servers } = world
  const secret = 'hunter2-very-secret'
  const spec = await running(servers, await makeSpec({}, { variables: { RCON_PASSWORD: secret } }))
  assert.equal(await ask(servers, spec.id, 'env RCON_PASSWORD', 'env RCON'), `env RCON_PASSWORD=${secret}`)
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    assert.ok(!line.includes(secret), `${pid}: ${line}`)
  }
})

test('two servers have different users, and each keeps its own', async (t) => {
  const world = await openWorld(t)
  if (!needs(t, world, 'ownUser')) return
  const specs = await Promise.all([makeSpec(), makeSpec(), makeSpec()])
  for (const spec of specs) await world.servers.put(spec)
  for (const spec of specs) await reached(world.servers, spec.id, 'offline')
  const owners = async (): Promise<string[]> =>
    Promise.all(specs.map((spec) => readFile(join(world.dataDir, 'servers', spec.id, 'owner.json'), 'utf8')))
  const before = await owners()
  assert.equal(new Set(before).size, 3)
  await world.reopen()
  await world.servers.get(specs[0]?.id ?? '').power('start')
  await reached(world.servers, specs[0]?.id ?? '', 'running')
  assert.deepEqual(await owners(), before)
})

test('says in words what is not enforced', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  assert.equal(world.runtime.capabilities.isolation, false)
  assert.match(world.runtime.capabilities.warnings.join('\n'), /not isolated/)
})

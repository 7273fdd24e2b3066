import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { patienceMs } from '../../../test/patience.ts'
import type { NodeEvent, ServerSpec } from '../../contract/node.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { createDebianPackages } from '../install/debian.ts'
import { openSharedPackages } from '../install/packages.ts'
import { noQuotas } from '../quota/index.ts'
import { findNodeTools } from '../runtime/node-tools.ts'
import { ask, makeSpec, openTestRuntime, printed, reached } from '../testing/world.ts'
import { openServers, type Servers } from './servers.ts'

/** A node in a process of its own, to be killed, and then its successor in this one. */
async function twoLives(t: TestContext, runtime: 'sandbox' | 'process' = 'sandbox') {
  const dataDir = await mkdtemp(join(tmpdir(), 'pharos-survival-'))
  const child: ChildProcess = fork(join(import.meta.dirname, '../testing/child-node.ts'), [dataDir, runtime], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const events: (NodeEvent | { type: 'open' })[] = []
  child.on('message', (event: NodeEvent) => events.push(event))
  const until = async (fits: (event: NodeEvent | { type: 'open' }) => boolean): Promise<void> => {
    while (!events.some(fits)) await once(child, 'message', { signal: AbortSignal.timeout(patienceMs) })
  }
  const phase = (wanted: string) => until((event) => event.type === 'state' && event.state.phase === wanted)
  let successor: Servers | null = null
  let closeRuntime: () => Promise<void> = async () => undefined
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const servers = successor ?? (await open())
    for (const { id } of servers.list()) await servers.remove(id)
    await servers[Symbol.asyncDispose]()
    await closeRuntime()
    await rm(dataDir, { recursive: true, force: true })
  })
  const open = async (): Promise<Servers> => {
    const packages = await openSharedPackages(join(dataDir, 'packages'), await findNodeTools())
    const opened = await openTestRuntime(dataDir, { runtime })
    closeRuntime = async () => opened[Symbol.asyncDispose]()
    return openServers({
      dataDir,
      runtime: opened,
      packages,
      quotas: noQuotas('not asked for'),
      debian: createDebianPackages(),
      clock: systemClock,
      log: silentLog,
    })
  }
  await until((event) => event.type === 'open')
  return {
    folder: (id: string): string => join(dataDir, 'servers', id),
    phase,
    tell: (message: object) => child.send(message),
    async started(spec: ServerSpec): Promise<void> {
      child.send({ spec })
      await phase('offline')
      child.send({ id: spec.id, action: 'start' })
    },
    async kill(): Promise<void> {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    async reopen(): Promise<Servers> {
      successor = await open()
      return successor
    },
  }
}

async function inFile(path: string, text: string): Promise<void> {
  for (let waited = 0; waited < patienceMs; waited += 20) {
    if ((await readFile(path, 'utf8').catch(() => '')).includes(text)) return
    await sleep(20)
  }
  throw new Error(`${path} never held ${text}`)
}

for (const runtime of ['sandbox', 'process'] as const) {
  test(`${runtime}: a server plays on while its node is killed, and no line is lost`, async (t) => {
    const { started, phase, kill, reopen, folder } = await twoLives(t, runtime)
    const spec = await makeSpec()
    await started(spec)
    await phase('running')
    await kill()
    // The console still works for whoever holds the pipe: the process itself does.
    await writeFile(join(folder(spec.id), 'console.in'), 'flood 2000\necho after the flood\n', { flag: 'r+' })
    await inFile(join(folder(spec.id), 'console.log'), 'echo after the flood')
    const servers = await reopen()
    assert.equal(servers.get(spec.id).state().phase, 'running')
    const lines = await servers.get(spec.id).console.lines(1000)
    const last = lines.at(-1)?.seq ?? 0
    assert.deepEqual(
      lines.map((line) => line.seq),
      Array.from({ length: 1000 }, (_, index) => last - 999 + index),
    )
    assert.equal(lines.at(-2)?.text, 'flood 1999')
    await ask(servers, spec.id, 'echo back', 'echo back')
    await servers.get(spec.id).power('stop')
    const state = await reached(servers, spec.id, 'offline')
    assert.deepEqual([state.lastExit?.code, state.lastExit?.crashed], [0, false])
  })

  test(`${runtime}: a server that ended meanwhile is found with its exit code`, async (t) => {
    const { started, phase, kill, reopen, folder } = await twoLives(t, runtime)
    const spec = await makeSpec({}, { restartOnCrash: false })
    await started(spec)
    await phase('running')
    await kill()
    await writeFile(join(folder(spec.id), 'console.in'), 'crash 42\n', { flag: 'r+' })
    await inFile(join(folder(spec.id), 'status'), 'exit-code')
    const state = (await reopen()).get(spec.id).state()
    assert.deepEqual([state.phase, state.lastExit?.code, state.lastExit?.crashed], ['offline', 42, true])
  })
}

test('a server that becomes ready while its node is away is found running', async (t) => {
  const { started, phase, kill, reopen, folder } = await twoLives(t)
  const spec = await makeSpec({
    start: { command: ['sh', '-c', 'read line; echo "Ready to play"; exec sleep 1000'], ready: 'Ready to play' },
  })
  await started(spec)
  await phase('starting')
  await inFile(join(folder(spec.id), 'status'), 'child-start')
  await kill()
  await writeFile(join(folder(spec.id), 'console.in'), 'go\n', { flag: 'r+' })
  await inFile(join(folder(spec.id), 'console.log'), 'Ready')
  assert.equal((await reopen()).get(spec.id).state().phase, 'running')
})

test('a server that is still starting is found starting, and becomes ready later', async (t) => {
  const { started, phase, kill, reopen, folder } = await twoLives(t)
  const spec = await makeSpec({
    start: { command: ['sh', '-c', 'read line; echo "Ready to play"; exec sleep 1000'], ready: 'Ready to play' },
  })
  await started(spec)
  await phase('starting')
  await inFile(join(folder(spec.id), 'status'), 'child-start')
  await kill()
  const servers = await reopen()
  assert.equal(servers.get(spec.id).state().phase, 'starting')
  await servers.get(spec.id).command('go')
  await reached(servers, spec.id, 'running')
})

test('an end that had been asked for before the node was killed is no crash', async (t) => {
  const { started, phase, kill, reopen, folder, tell } = await twoLives(t)
  const spec = await makeSpec({
    start: { command: ['sh', '-c', 'echo "Ready to play"; read stop; read more; exit 5'], ready: 'Ready to play' },
  })
  await started(spec)
  await phase('running')
  tell({ id: spec.id, action: 'stop' })
  await phase('stopping')
  await kill()
  await writeFile(join(folder(spec.id), 'console.in'), 'more\nmore\n', { flag: 'r+' })
  await inFile(join(folder(spec.id), 'status'), 'exit-code')
  const state = (await reopen()).get(spec.id).state()
  assert.deepEqual([state.phase, state.lastExit?.code, state.lastExit?.crashed], ['offline', 5, false])
})

test('a node that is killed while it installs begins again', async (t) => {
  const { phase, kill, reopen, tell, folder } = await twoLives(t)
  const spec = await makeSpec({
    install: {
      run: ['sh', '-c', 'if [ -f begun ]; then echo second time; else touch begun; echo first time; sleep 1000; fi'],
    },
  })
  tell({ spec })
  await phase('installing')
  await inFile(join(folder(spec.id), 'console.log'), 'first time')
  await kill()
  const servers = await reopen()
  await printed(servers, spec.id, 'second time')
  await reached(servers, spec.id, 'offline')
})

test('processes of another boot, and ids that belong to somebody else now, are not touched', async (t) => {
  const { started, phase, kill, reopen, folder } = await twoLives(t)
  const spec = await makeSpec({}, { restartOnCrash: false })
  await started(spec)
  await phase('running')
  await kill()
  const status = join(folder(spec.id), 'status')
  const real = await readFile(status, 'utf8')
  // This test's own process stands in for the stranger that got the id.
  const stranger = await readFile(`/proc/${process.pid}/stat`, 'utf8')
  const fields = stranger.trim().split(' ')
  fields[21] = String(Number(fields[21]) + 1)
  const boot = real.split('\n')[0] ?? ''
  await writeFile(
    status,
    `${boot}\n${JSON.stringify({ launcher: fields.join(' ') })}\n${JSON.stringify({ 'child-pid': process.pid })}\n`,
  )
  // Without control groups only this file led to the real one.
  const first = Number(/"child-pid": (\d+)/.exec(real)?.[1])
  t.after(() => {
    try {
      process.kill(first, 'SIGKILL')
    } catch {
      // The node has ended it already.
    }
  })
  const state = (await reopen()).get(spec.id).state()
  assert.deepEqual([state.phase, state.lastExit?.code], ['offline', null])
})

test('a server whose launcher was killed plays on, is known, and can be stopped', async (t) => {
  const { started, phase, kill, reopen, folder } = await twoLives(t)
  const spec = await makeSpec()
  await started(spec)
  await phase('running')
  await inFile(join(folder(spec.id), 'status'), 'child-start')
  const launcher = /"launcher":"(\d+) /.exec(await readFile(join(folder(spec.id), 'status'), 'utf8'))?.[1]
  await kill()
  process.kill(Number(launcher), 'SIGKILL')
  const servers = await reopen()
  assert.equal(servers.get(spec.id).state().phase, 'running')
  await ask(servers, spec.id, 'echo alive', 'echo alive')
  await servers.get(spec.id).power('stop')
  const state = await reached(servers, spec.id, 'offline')
  assert.deepEqual([state.lastExit?.code, state.lastExit?.crashed], [null, false])
})

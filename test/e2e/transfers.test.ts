import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { access, chmod, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { runCli } from '../../src/cli/cli.ts'
import { type FleetNode, startFleet } from '../world/fleet.ts'
import { until } from '../world/servers-world.ts'

/** Four processes share the machine with this one: asking less often leaves them more of it. */
const eventually = <T>(look: () => T | Promise<T>, what: string) => until(what, look, { everyMs: 50 })

let fleet: Awaited<ReturnType<typeof startFleet>>
before(async () => {
  fleet = await startFleet()
})
after(() => fleet?.[Symbol.asyncDispose]())

const filesOf = (node: FleetNode, serverId: string): string => join(node.dataDir, 'servers', serverId, 'data')
const has = (node: FleetNode, serverId: string): Promise<boolean> =>
  access(join(node.dataDir, 'servers', serverId)).then(
    () => true,
    () => false,
  )

async function makeServer(name: string, node: FleetNode, start: boolean): Promise<string> {
  const made = await fleet.api.createServer({ body: { name, template: 'game', node: node.id, start } })
  const serverId = made.id.slice('servers/'.length)
  await eventually(async () => (await statusOf(serverId)) === (start ? 'running' : 'offline'), `${name} is ready`)
  return serverId
}

const show = (serverId: string) => fleet.api.server({ params: { serverId } })
const statusOf = async (serverId: string) => (await show(serverId)).status
const transferOf = async (serverId: string) => (await fleet.api.serverTransfer({ params: { serverId } })).transfer

/** What a visitor of the edge reads. Empty while nobody is there. */
async function visit(address: string | null): Promise<string> {
  const [host, port] = (address ?? '').split(':')
  const socket = connect({ host: host ?? '', port: Number(port) })
  return text(socket).catch(() => '')
}

const ended = (serverId: string) =>
  eventually(async () => {
    const transfer = await transferOf(serverId)
    return transfer?.endedAt ? transfer : null
  }, 'the transfer has ended')

describe('a server that moves to another node', () => {
  test('takes its files, its console and its address along, runs there, and leaves nothing behind', async () => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Mover', one, true)
    const params = { serverId }
    const data = filesOf(one, serverId)
    const { uid } = await lstat(data)
    await mkdir(join(data, 'world', 'deep'), { recursive: true })
    const content = randomBytes(300_000)
    await writeFile(join(data, 'world', 'level.dat'), content, { mode: 0o640 })
    await writeFile(join(data, 'name.txt'), 'Mover')
    await writeFile(Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0xff, 0x41])]), 'no UTF-8')
    await symlink('level.dat', join(data, 'world', 'link'))
    await chmod(join(data, 'world', 'deep'), 0o711)
    const { address, allocations } = await show(serverId)
    await eventually(async () => (await visit(address)) === 'hello from Mover', 'visitors reach it')
    await api.consoleCommand({ params, body: { command: 'before' } })
    await eventually(
      async () => (await api.consoleLog({ params })).logs.includes('heard before'),
      'it has heard the command',
    )

    const begun = await api.transferServer({ params, body: {} })
    assert.deepEqual([begun.stage, begun.from.name, begun.to.name], ['waiting', 'one', 'two'])
    await assert.rejects(api.transferServer({ params, body: {} }), /is being moved already/)
    const { stage, percent, message } = await ended(serverId)
    assert.deepEqual([stage, percent, message], ['done', 100, null])
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs there')
    const moved = await show(serverId)
    assert.deepEqual([moved.node.name, moved.address, moved.allocations.length], ['two', address, allocations.length])
    await eventually(async () => (await visit(address)) === 'hello from Mover', 'visitors reach it at the same address')

    const there = filesOf(two, serverId)
    assert.deepEqual(await readFile(join(there, 'world', 'level.dat')), content)
    assert.equal((await lstat(join(there, 'world', 'level.dat'))).mode & 0o777, 0o640)
    assert.equal(await readlink(join(there, 'world', 'link')), 'level.dat')
    assert.equal((await readFile(Buffer.concat([Buffer.from(`${there}/`), Buffer.from([0xff, 0x41])]))).length, 8)
    if (uid !== process.getuid?.()) assert.notEqual((await lstat(join(there, 'world'))).uid, process.getuid?.())
    const { logs } = await api.consoleLog({ params, query: { size: '1000' } })
    assert.ok(logs.indexOf('heard before') < logs.lastIndexOf('up'), logs.join('\n'))
    await eventually(async () => !(await has(one, serverId)), 'the source has nothing of it')
    assert.equal((await api.nodes()).nodes.find(({ name }) => name === 'two')?.servers, 1)
  })

  test('cannot go where it is, where nobody is, or into maintenance, and nothing changes', async () => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Stayer', one, false)
    const params = { serverId }
    await assert.rejects(api.transferServer({ params, body: { node: one.id } }), /is on node one already/)
    await assert.rejects(api.transferServer({ params, body: { node: 'node_none' } }), /not found/)
    await api.updateNode({ params: { node: two.id }, body: { maintenance: true } })
    try {
      await assert.rejects(api.transferServer({ params, body: {} }), /two: in maintenance/)
      await assert.rejects(api.transferServer({ params, body: { node: two.id } }), /in maintenance/)
    } finally {
      await api.updateNode({ params: { node: two.id }, body: { maintenance: false } })
    }
    await assert.rejects(api.cancelTransfer({ params }), /is not being moved/)
    assert.equal((await transferOf(serverId)) ?? null, null)
    await api.power({ params, body: { action: 'start' } })
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it starts')
  })

  test('waits for a node that is away, refuses power and changes of files meanwhile, and can be cancelled', async () => {
    const { api, one, two } = fleet
    const serverId = await makeServer('Waiter', one, true)
    const params = { serverId }
    await two.kill()
    await eventually(async () => !(await fleet.online()), 'the target is away')
    await assert.rejects(api.transferServer({ params, body: { node: two.id } }), /two.*away/)
    await two.start()
    await eventually(fleet.online, 'the target is back')
    // It stands still, so that whatever is asked of it never ends.
    two.child.kill('SIGSTOP')
    await api.transferServer({ params, body: { node: two.id } })
    await eventually(async () => (await transferOf(serverId))?.stage === 'copying', 'it is copying')
    assert.equal(await statusOf(serverId), 'transferring')
    await assert.rejects(api.power({ params, body: { action: 'start' } }), /moved to another node/)
    await assert.rejects(api.writeFile({ params, body: { file: '/a', content: 'b' } }), /moved to another node/)
    await assert.rejects(api.createBackup({ params, body: {} }), /moved to another node/)
    await assert.rejects(api.deleteServer({ params }), /moved to another node/)
    assert.equal((await api.fileContents({ params, query: { file: '/name.txt' } })).content, 'nobody')
    await api.cancelTransfer({ params })
    assert.equal((await ended(serverId)).stage, 'cancelled')
    await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs again where it was')
    assert.equal((await show(serverId)).node.name, 'one')
    two.child.kill('SIGCONT')
    await eventually(fleet.online, 'the target is back')
    await eventually(async () => !(await has(two, serverId)), 'the target has nothing of it')
  })

  for (const victim of ['source', 'target', 'panel'] as const)
    test(`arrives whole although its ${victim} is killed on the way`, async () => {
      const { api, one, two } = fleet
      const serverId = await makeServer(`Survivor of its ${victim}`, one, true)
      const params = { serverId }
      const content = randomBytes(8 * 1024 * 1024)
      await writeFile(join(filesOf(one, serverId), 'large.bin'), content)
      await writeFile(join(filesOf(one, serverId), 'name.txt'), victim)
      await api.transferServer({ params, body: { node: two.id } })
      const early: unknown[] = ['waiting', 'stopping']
      await eventually(async () => !early.includes((await transferOf(serverId))?.stage), 'it is on its way')
      const node = victim === 'source' ? one : two
      if (victim === 'panel') {
        await fleet.killPanel()
        await fleet.startPanel()
      } else {
        await node.kill()
        await node.start()
      }
      await eventually(fleet.online, 'everybody is back')
      assert.equal((await ended(serverId)).stage, 'done')
      await eventually(async () => (await statusOf(serverId)) === 'running', 'it runs there')
      const { node: home, address } = await show(serverId)
      assert.equal(home.name, 'two')
      assert.deepEqual(await readFile(join(filesOf(two, serverId), 'large.bin')), content)
      await eventually(async () => (await visit(address)) === `hello from ${victim}`, 'visitors reach it')
      await eventually(async () => !(await has(one, serverId)), 'the source has nothing of it')
      await api.deleteServer({ params })
    })
})

test('a node whose process is killed has unknown servers, and true states again once it is back', async () => {
  const { api, one } = fleet
  const serverId = await makeServer('Lonely', one, true)
  await one.kill()
  await eventually(async () => (await statusOf(serverId)) === 'unknown', 'nobody knows')
  await assert.rejects(api.power({ params: { serverId }, body: { action: 'stop' } }), /Node one is away/)
  await one.start()
  await eventually(async () => (await statusOf(serverId)) === 'running', 'it still runs')
})

/** The command line, as a person at a terminal uses it. */
async function pharos(...line: string[]): Promise<{ code: number; data: string; talk: string }> {
  const ran = { code: 0, data: '', talk: '' }
  const unused = async (): Promise<void> => assert.fail('a command of the API starts no role')
  ran.code = await runCli(line, {
    env: { HOME: fleet.folder, PHAROS_URL: fleet.url, PHAROS_API_KEY: fleet.key },
    cwd: fleet.folder,
    root: join(import.meta.dirname, '..', '..'),
    streams: {
      data: (words) => {
        ran.data += words
      },
      talk: (words) => {
        ran.talk += words
      },
      live: true,
    },
    stdin: Readable.from([]),
    signal: new AbortController().signal,
    roles: { up: unused, panel: unused, node: unused, joinNode: unused, edge: unused },
  })
  return ran
}

test('the command line moves a server and drains a node, with progress, and says what stays and why', async () => {
  const { api, one, two } = fleet
  const serverId = await makeServer('Typed', one, false)
  const moved = await pharos('servers', 'transfer', 'Typed', '--to', 'two')
  assert.equal(moved.code, 0, moved.talk)
  assert.match(moved.talk, /Typed moves from one to two/)
  assert.match(moved.data, /^Typed: on two now/)
  assert.equal((await show(serverId)).node.id, two.id)
  const idle = await pharos('servers', 'transfer', 'Typed', '--cancel')
  assert.deepEqual([idle.code, /Typed is not being moved/.test(idle.talk)], [1, true])

  await api.updateNode({ params: { node: one.id }, body: { labels: { room: 'for-one' } } })
  await api.createServer({
    body: { name: 'Bound', template: 'game', start: false, placement: { labels: { room: 'for-one' } } },
  })
  await makeServer('Free', one, false)
  const drained = await pharos('nodes', 'drain', 'one')
  assert.equal(drained.code, 1)
  assert.match(drained.talk, /Bound stays: .*two: not labelled room=for-one/)
  assert.match(drained.data, /Free +two +done/)
  const { servers, maintenance } = await api.node({ params: { node: one.id } })
  assert.deepEqual([servers, maintenance], [1, true])
})

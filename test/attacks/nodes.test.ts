import assert from 'node:assert/strict'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { nodeOperations, nodeSockets, ServerSpec } from '../../src/contract/node.ts'
import { nodeBackupOperations, nodeBackupTransfers } from '../../src/contract/node-backups.ts'
import { nodeDatabaseOperations } from '../../src/contract/node-databases.ts'
import type { Declared } from '../../src/contract/operation.ts'
import { makeSpec, openWorld, printed, reached, running } from '../../src/node/testing/world.ts'
import { type FilesWorld, startFilesWorld } from '../world/files-world.ts'

let world: FilesWorld
before(async () => {
  world = await startFilesWorld()
})
after(() => world?.[Symbol.asyncDispose]())

test('a panel, or who has its place, can tell a node nothing about where its data, keys and logs are (CVE-2024-34066)', async () => {
  const declared = {
    ...nodeOperations,
    ...nodeSockets,
    ...nodeBackupOperations,
    ...nodeBackupTransfers,
    ...nodeDatabaseOperations,
  }
  for (const [name, { path }] of Object.entries<Declared>(declared))
    assert.doesNotMatch(path, /config|settings|mount|update/i, name)
  const spec = await makeSpec()
  for (const extra of [
    { dataDir: '/etc' },
    { mounts: [{ source: '/', target: '/host' }] },
    { template: { ...spec.template, privileged: true } },
    { template: { ...spec.template, start: { ...spec.template.start, user: 'root' } } },
    { id: '../../etc' },
  ])
    assert.equal(ServerSpec.safeParse({ ...spec, ...extra }).success, false, JSON.stringify(extra))
})

test('an installation runs as the server does: its own user, no privileges, nothing but its folder (CVE-2023-32080)', async (t) => {
  const node = await openWorld(t)
  const { isolation, ownUser } = node.runtime.capabilities
  if (!isolation || !ownUser) {
    assert.notEqual(process.env.CI, 'true')
    t.skip('this machine cannot isolate servers')
    return
  }
  const script = [
    'echo "caps $(grep CapEff /proc/self/status)"',
    'echo "uid $(id -u 2>/dev/null || echo none)"',
    'for f in /etc/shadow /root; do cat $f >/dev/null 2>&1 && echo "readable $f"; done',
    'touch /usr/pharos-escape /etc/pharos-escape /pharos-escape 2>/dev/null && echo "escaped"',
    `ls ${node.dataDir} >/dev/null 2>&1 && echo "sees the node"`,
    'echo "installed"',
  ].join('\n')
  const spec = await makeSpec({ install: { run: ['sh', '-c', script] } })
  await node.servers.put(spec)
  await reached(node.servers, spec.id, 'offline')
  const lines = (await node.servers.get(spec.id).console.lines(100)).map(({ text }) => text)
  assert.ok(lines.includes('installed'), lines.join('\n'))
  assert.match(lines.find((line) => line.startsWith('caps')) ?? '', /0{16}/)
  assert.ok(!lines.some((line) => /^(readable|escaped|sees|uid 0)/.test(line)), lines.join('\n'))
})

test('a file of a template that names another place is not written there (CVE-2024-34066)', async (t) => {
  const node = await openWorld(t)
  for (const path of ['../../../escape', '/pharos-escape', 'a/../../escape', '..\\escape']) {
    const spec = await makeSpec({ files: [{ path, content: 'x' }] })
    await node.servers.put(spec).catch(() => undefined)
    if (node.servers.list().some(({ id }) => id === spec.id)) {
      const state = await reached(node.servers, spec.id, ({ phase }) => phase !== 'installing')
      assert.equal(state.phase, 'install_failed', `${path}: ${state.message}`)
      await node.servers.remove(spec.id)
    }
  }
  for (const name of await readdir(node.dataDir)) assert.doesNotMatch(name, /escape/)
  assert.ok(!(await readdir('/')).includes('pharos-escape'))
})

test('no placeholder in a variable is filled in, and none shows a secret (CVE-2026-52855)', async (t) => {
  const node = await openWorld(t)
  const syntaxes = [
    '{{config.token}}',
    '{{SERVER_PORT}}',
    '$' + '{PATH}',
    '$PATH',
    '$(id)',
    '`id`',
    '%PATH%',
    '<%= process.env %>',
    '{{env.PHAROS_API_KEY}}',
    '#{1}',
    '; touch /tmp/x',
    'a\nb',
    '{{MOTD}}',
  ]
  const variables = Object.fromEntries(syntaxes.map((value, n) => [`V${n}`, value]))
  const spec = await running(node.servers, await makeSpec({}, { variables }))
  const line = printed(node.servers, spec.id, 'eval {')
  const read = `eval Object.fromEntries(Object.entries(process.env).filter(([name]) => /^V\\d+$/.test(name)))`
  await node.servers.get(spec.id).command(read)
  assert.deepEqual(JSON.parse((await line).slice('eval '.length)), variables)
})

test('keys, databases and settings of a panel and a node are readable for their own user alone (CNVD-C-2025-241734)', async () => {
  const open: string[] = []
  const look = async (folder: string): Promise<void> => {
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const facts = await lstat(path)
      // What is below the folder of a server belongs to the game.
      if (facts.isDirectory()) {
        if (!/\/servers\/[0-9a-f]{8}$/.test(path)) await look(path)
      } else if (facts.isFile() && /key|secret|\.db|credential|token|\.pem|identity|\.json$/.test(name)) {
        const closed = await closedAbove(path)
        if ((facts.mode & 0o077) !== 0 && !closed) open.push(`${path} ${(facts.mode & 0o777).toString(8)}`)
      }
    }
  }
  /** Whether a folder on the way, of those that are ours, lets nobody else through. */
  const closedAbove = async (path: string): Promise<boolean> => {
    for (let at = path; at !== world.folder; at = join(at, '..')) {
      const facts = await lstat(at)
      if (facts.isDirectory() && (facts.mode & 0o077) === 0) return true
    }
    return false
  }
  await look(join(world.folder, 'panel'))
  await look(join(world.folder, 'node'))
  assert.deepEqual(open, [])
  const secret = await lstat(join(world.folder, 'panel/secrets.key'))
  assert.equal(secret.mode & 0o777, 0o600)
  assert.ok((await readFile(join(world.folder, 'panel/secrets.key'))).length >= 32)
})

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { runCli } from '../../src/cli/cli.ts'
import { type FilesWorld, startFilesWorld } from '../world/files-world.ts'

/** The real command line against a real panel with a real node, where the server `Files` is installed and stopped. */
let world: FilesWorld
let home: string
/** A key may ask 180 times a minute, and so may the second one. */
let apiKey: string
let secondKey: string
before(async () => {
  world = await startFilesWorld({ disk: 64 })
  home = await mkdtemp(join(tmpdir(), 'pharos-cli-e2e-'))
  apiKey = world.key
  secondKey = (await json('tokens', 'create')).token
})
after(async () => {
  await world[Symbol.asyncDispose]()
  await rm(home, { recursive: true })
})

interface Ran {
  code: number
  data: string
  talk: string
}

async function pharos(line: readonly string[], options: { input?: string; live?: boolean } = {}): Promise<Ran> {
  const ran: Ran = { code: 0, data: '', talk: '' }
  const unused = async (): Promise<void> => assert.fail('a command of the API starts no role')
  ran.code = await runCli(line, {
    env: { HOME: home, PHAROS_URL: `http://127.0.0.1:${world.panel.port}`, PHAROS_API_KEY: apiKey },
    cwd: home,
    root: join(import.meta.dirname, '..', '..'),
    streams: {
      data: (text) => {
        ran.data += text
      },
      talk: (text) => {
        ran.talk += text
      },
      live: options.live ?? false,
    },
    stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
    signal: new AbortController().signal,
    roles: { up: unused, panel: unused, node: unused, joinNode: unused, edge: unused },
  })
  return ran
}

/** What a command printed, which must have gone well. */
async function done(...line: string[]): Promise<string> {
  const { code, data, talk } = await pharos(line)
  assert.equal(code, 0, `pharos ${line.join(' ')}: ${talk}`)
  return data.trim()
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at the output as a script would that knows no schema
const json = async (...line: string[]): Promise<any> => JSON.parse(await done(...line, '--json'))

async function fails(words: RegExp, ...line: string[]): Promise<void> {
  const { code, data, talk } = await pharos(line)
  assert.deepEqual([code, data], [1, ''])
  assert.match(talk, words)
}

test('files: writes, reads, lists, moves, copies and deletes, and says what cannot be', async () => {
  await done('files', 'mkdir', 'Files', '/plugins')
  const { code, talk } = await pharos(['files', 'write', 'Files', 'plugins/a.yml'], { input: 'on: true\n' })
  assert.equal(code, 0, talk)
  assert.equal(await done('files', 'cat', 'Files', '/plugins/a.yml'), 'on: true')
  const { hash } = await json('files', 'cat', 'Files', 'plugins/a.yml')
  assert.equal(
    (await pharos(['files', 'write', 'Files', 'plugins/a.yml', '--if-match', hash], { input: 'on: no' })).code,
    0,
  )
  const stale = await pharos(['files', 'write', 'Files', 'plugins/a.yml', '--if-match', hash], { input: 'lost' })
  assert.equal(stale.code, 1)
  assert.match(stale.talk, /has changed since you read it/)
  await done('files', 'mv', 'Files', '/plugins/a.yml', '/plugins/b.yml')
  await done('files', 'cp', 'Files', '/plugins/b.yml', '/plugins/c.yml')
  const names = (await json('files', 'list', 'Files', '/plugins')).map(({ name }: { name: string }) => name)
  assert.deepEqual(names, ['b.yml', 'c.yml'])
  assert.match(await done('files', 'list', 'Files'), /plugins\//)
  await fails(/exists already/, 'files', 'cp', 'Files', '/plugins/b.yml', '/plugins/c.yml')
  assert.match((await pharos(['files', 'rm', 'Files', '/plugins'])).talk, /Add --yes/)
  await done('files', 'rm', 'Files', '/plugins', '--yes')
  await fails(/not found/, 'files', 'list', 'Files', '/plugins')
  await fails(/not found/, 'files', 'cat', 'Files', '/nothing.txt')
  await fails(/No server is called "Filse"/, 'files', 'list', 'Filse')
})

test('files: uploads in parts and downloads, shows how far it is at a terminal, and replaces nothing unasked', async () => {
  const content = Buffer.alloc(20 * 1024 * 1024, 'abcdefg')
  await writeFile(join(home, 'up.bin'), content)
  const { code, talk } = await pharos(['files', 'put', 'Files', 'up.bin', 'maps/'], { live: true })
  assert.equal(code, 0, talk)
  assert.match(talk, /16\.0 MiB of 20\.0 MiB/)
  assert.deepEqual(await readFile(join(world.root(), 'maps/up.bin')), content)
  await fails(/exists already/, 'files', 'put', 'Files', 'up.bin', 'maps/')
  await done('files', 'put', 'Files', 'up.bin', 'maps/', '--force')
  const { file, size } = await json('files', 'get', 'Files', 'maps/up.bin', 'down.bin')
  assert.deepEqual([file, size], [join(home, 'down.bin'), content.length])
  assert.deepEqual(await readFile(file), content)
  await fails(/down\.bin exists already.*--force/, 'files', 'get', 'Files', 'maps/up.bin', 'down.bin')
  await done('files', 'get', 'Files', 'maps/up.bin', 'down.bin', '--force')
  await writeFile(join(home, 'empty'), '')
  await done('files', 'put', 'Files', 'empty', '/renamed')
  assert.deepEqual(await readFile(join(world.root(), 'renamed')), Buffer.alloc(0))
  await fails(/cannot be read/, 'files', 'put', 'Files', 'no-such-file')
  await fails(/is no file/, 'files', 'put', 'Files', '.')
  assert.ok(!(await readdir(home)).some((name) => name.endsWith('.part')))
})

test('files: packs, unpacks and fetches', async () => {
  await done('files', 'mkdir', 'Files', '/packed')
  await pharos(['files', 'write', 'Files', '/packed/level.dat'], { input: 'level' })
  assert.match(await done('files', 'compress', 'Files', 'packed', '--name', 'packed.zip'), /\/packed\.zip/)
  await done('files', 'mkdir', 'Files', '/out')
  assert.match(await done('files', 'decompress', 'Files', '/packed.zip', '--to', '/out'), /1 files/)
  assert.equal(await done('files', 'cat', 'Files', '/out/packed/level.dat'), 'level')
  await fails(/exists already/, 'files', 'decompress', 'Files', '/packed.zip', '--to', '/out')
  const web = createServer((request, reply) => {
    if (request.url === '/map.zip') reply.end('a map')
    else reply.writeHead(404).end()
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  try {
    const address = web.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    await done('files', 'pull', 'Files', `${url}/map.zip`, '--to', '/out')
    assert.equal(await done('files', 'cat', 'Files', '/out/map.zip'), 'a map')
    await fails(/404/, 'files', 'pull', 'Files', `${url}/none.zip`)
  } finally {
    web.close()
  }
})

test('backups: makes, waits, lists, locks, downloads, restores and deletes', async () => {
  await pharos(['files', 'write', 'Files', '/world.txt'], { input: 'old' })
  assert.match(await done('backups', 'create', 'Files', 'Before', '--wait'), /^bak_\w+: \d+ files in /)
  const [backup] = await json('backups', 'list', 'Files')
  assert.deepEqual([backup.name, backup.state], ['Before', 'ready'])
  await pharos(['files', 'write', 'Files', '/world.txt'], { input: 'new' })
  await done('backups', 'lock', 'Files', 'Before')
  await fails(/locked/, 'backups', 'delete', 'Files', 'Before', '--yes')
  await done('backups', 'unlock', 'Files', backup.id)
  const { size } = await json('backups', 'download', 'Files', 'Before', 'before.tar.zst')
  assert.equal(size, backup.size)
  assert.match(await done('backups', 'restore', 'Files', 'Before', '--dry-run'), /put back|files of backup/)
  assert.equal(await done('files', 'cat', 'Files', '/world.txt'), 'new')
  assert.match((await pharos(['backups', 'restore', 'Files', 'Before'])).talk, /Add --yes/)
  await done('backups', 'restore', 'Files', 'Before', 'world.txt', '--yes')
  assert.equal(await done('files', 'cat', 'Files', '/world.txt'), 'old')
  await fails(
    /does not hold nothing\.txt.*as they were before/,
    'backups',
    'restore',
    'Files',
    'Before',
    'nothing.txt',
    '--yes',
  )
  await done('backups', 'delete', 'Files', 'Before', '--yes')
  await fails(/No backup is called "Before"/, 'backups', 'restore', 'Files', 'Before', '--yes')
})

test('schedules: creates, lists, shows, runs and deletes, and refuses a task that is none', async () => {
  const made = await json(
    ...['schedules', 'create', 'Files', 'nightly', '30 4 * * *', '--time-zone', 'Europe/Berlin'],
    ...['--task', 'command say Restart', 'wait-offline', 'backup Nightly'],
  )
  assert.deepEqual(
    made.tasks.map(({ kind }: { kind: string }) => kind),
    ['command', 'wait', 'backup'],
  )
  assert.match(await done('schedules', 'list', 'Files'), /nightly +30 4 \* \* \* \(Europe\/Berlin\)/)
  assert.match(await done('schedules', 'show', 'Files', 'nightly'), /task 3 +backup Nightly/)
  await done('schedules', 'run', 'Files', 'nightly')
  await done('schedules', 'delete', 'Files', 'nightly')
  await fails(/No schedule is called "nightly"/, 'schedules', 'run', 'Files', 'nightly')
  const wrong = await pharos(['schedules', 'create', 'Files', 'x', '@daily', '--task', 'explode'])
  assert.deepEqual([wrong.code, wrong.data], [2, ''])
  assert.match(wrong.talk, /"explode" is none\. Use start, stop/)
})

test('servers: an administrator sees and changes limits, suspends and lifts that', async () => {
  assert.match(await done('servers', 'limits', 'Files'), /disk +64 MiB/)
  const limits = await json('servers', 'limits', 'Files', '--disk', '80', '--backups', '7')
  assert.deepEqual([limits.disk, limits.backups], [80, 7])
  assert.equal((await pharos(['servers', 'limits', 'Files', '--disk', '1'])).code, 1)
  await done('servers', 'suspend', 'Files')
  await fails(/suspended/, 'servers', 'start', 'Files')
  await done('servers', 'unsuspend', 'Files')
  assert.match(await done('servers', 'limits', 'Files'), /disk +80 MiB/)
})

test('plans: an administrator lists, shows and changes them, and gives one to a workspace', async () => {
  const { workspace } = await json('status')
  assert.match(await done('plans', 'list'), /standard .*\n.*enterprise/s)
  const changed = await json('plans', 'set', 'standard', '--tunnels', '20', '--rate', '1.5M', '--month', '500G')
  assert.partialDeepStrictEqual(changed, { tunnels: 20, bytesPerSecond: 1_572_864, bytesPerMonth: 536_870_912_000 })
  assert.match(await done('plans', 'show', 'standard'), /rate +1\.5 MiB\/s/)
  assert.partialDeepStrictEqual(await json('plans', 'set', 'standard', '--rate', 'none'), {
    tunnels: 20,
    bytesPerSecond: null,
  })
  await fails(/bytesPerSecond/, 'plans', 'set', 'standard', '--rate', '1')
  await fails(/tunnels/, 'plans', 'set', 'standard', '--tunnels', '100000')
  assert.partialDeepStrictEqual(
    await json('plans', 'assign', workspace.slug, '--plan', 'enterprise', '--requests', '6000'),
    { plan: 'enterprise', rateLimit: 6000, suspended: false },
  )
  assert.match(await done('plans', 'of', workspace.slug), /plan +enterprise/)
  await done('plans', 'assign', workspace.slug, '--plan', 'standard', '--requests', 'none')
  await fails(/nobody/i, 'plans', 'of', 'nobody')
})

test('nodes, edges and logs: an administrator sees one by one what they are, and has them log more for a while', async () => {
  apiKey = (await json('tokens', 'create')).token
  const [{ id, name }] = (await json('nodes', 'list')).nodes
  assert.equal((await json('nodes', 'show', name)).id, id)
  assert.match(await done('nodes', 'show', id), new RegExp(`name +${name}\\nstate +online\\n[^]*servers +1\\n`))
  await fails(/No node is called "nobody"/, 'nodes', 'show', 'nobody')
  await fails(/still has a server/, 'nodes', 'delete', name, '--yes')
  assert.equal((await pharos(['nodes', 'delete', name])).code, 2)
  await done('edges', 'create', 'frankfurt')
  assert.match(await done('edges', 'show', 'frankfurt'), /state +away, was never here/)
  await fails(/nobody/, 'edges', 'show', 'nobody')

  assert.equal((await json('log-levels', 'set', 'error', '--node', name, '--minutes', '3')).reached, true)
  await done('log-levels', 'set', 'info', '--edge', 'frankfurt')
  assert.match(await done('log-levels', 'list'), /node +\S+ +error.*edge +frankfurt +info/s)
  assert.match(await done('nodes', 'show', name), /log +error until/)
  await done('log-levels', 'reset', '--node', name)
  await done('log-levels', 'reset', '--edge', 'frankfurt')
  assert.match(await done('log-levels', 'list'), /as it was started/)
  for (const wrong of [
    ['set', 'loud'],
    ['set', 'debug', '--minutes', '0'],
    ['reset', '--node', name, '--edge', 'frankfurt'],
  ])
    assert.equal((await pharos(['log-levels', ...wrong])).code, 2, wrong.join(' '))
})

test('people: lets them use a server and the workspace, says what they may, and takes it away', async () => {
  apiKey = secondKey
  const added = await json('servers', 'users', 'add', 'Files', 'bob@example.com', '--may', 'console.*,files.read')
  assert.match(added.invitationUrl, /^http/)
  const [bob] = await json('servers', 'users', 'list', 'Files')
  assert.deepEqual([bob.email, bob.pending], ['bob@example.com', true])
  assert.deepEqual([...bob.permissions].sort(), ['console.read', 'console.write', 'files.read'])
  await done('servers', 'users', 'set', 'Files', 'bob@example.com', '--may', 'console.read')
  assert.deepEqual((await json('servers', 'users', 'list', 'Files'))[0].permissions, ['console.read'])
  await done('servers', 'users', 'remove', 'Files', 'bob@example.com')
  assert.deepEqual(await json('servers', 'users', 'list', 'Files'), [])
  await fails(/bob@example\.com may not use Files anyway/, 'servers', 'users', 'remove', 'Files', 'bob@example.com')
  const unknown = await pharos(['servers', 'users', 'add', 'Files', 'bob@example.com', '--may', 'console.sing'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.talk, /There is no permission console\.sing\. There are: .*console\.read/)

  await done('members', 'invite', 'eve@example.com', '--role', 'admin')
  const { members, invitations } = await json('members', 'list')
  assert.deepEqual([members.length, invitations[0].email, invitations[0].role], [1, 'eve@example.com', 'admin'])
  await done('members', 'remove', 'eve@example.com')
  assert.deepEqual((await json('members', 'list')).invitations, [])
  await fails(/does not belong to this workspace/, 'members', 'set', 'eve@example.com', '--role', 'member')
})

test('looks: finds files by name, tells of space, backups and what was done', async () => {
  apiKey = secondKey
  const { code, talk } = await pharos(['files', 'write', 'Files', 'deep/needle.yml'], { input: 'x: 1\n' })
  assert.equal(code, 0, talk)
  assert.deepEqual((await json('files', 'search', 'Files', 'NEEDLE')).files, [
    { path: '/deep/needle.yml', size: 5, isDirectory: false },
  ])
  await done('files', 'chmod', 'Files', '600', 'deep/needle.yml')
  assert.equal((await json('files', 'list', 'Files', '/deep'))[0].mode, '0600')
  assert.ok((await json('files', 'space', 'Files')).limitBytes > 0)
  assert.equal((await json('backups', 'settings', 'Files', '--rotate', 'on')).rotate, true)
  const { entries } = await json('activity', 'Files')
  assert.ok(entries.some((entry: { operation: string }) => entry.operation === 'chmodFile'))
  assert.match(await done('activity', '--lines', '5'), /WHEN\s+WHO\s+WHAT/)
  const both = await pharos(['activity', 'Files', '--mine'])
  assert.equal(both.code, 2)
  const unsure = await pharos(['servers', 'reinstall', 'Files'])
  assert.deepEqual([unsure.code, /--yes/.test(unsure.talk)], [2, true])
})

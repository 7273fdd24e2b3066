import assert from 'node:assert/strict'
import { copyFile, cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { build } from '../../scripts/build.js'
import { buildWeb } from '../../scripts/build-web.js'
import { createClient } from '../../src/client/index.ts'
import { apiPrefix, publicOperations } from '../../src/contract/api/index.ts'
import { type PortRange, reservePorts } from '../ports.ts'
import { startCommand } from '../world/pharos-command.ts'
import { keyOf, until } from '../world/servers-world.ts'

const root = join(import.meta.dirname, '..', '..')

/** The project in a folder of its own, built there as `npm start` builds it. */
async function built(folder: string): Promise<string> {
  for (const name of ['src', 'node_modules', 'scripts']) await symlink(join(root, name), join(folder, name))
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json'])
    await copyFile(join(root, name), join(folder, name))
  await cp(join(root, 'templates'), join(folder, 'templates'), { recursive: true })
  const entry = await build(folder)
  await cp(await buildWeb(root), join(folder, 'dist', 'web'), { recursive: true })
  return entry
}

const rangeOf = ({ first, last }: PortRange): string => `${first}-${last}`

test('what is shipped runs: set up, a server with a console, archives, a schedule, databases, and a good end', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bundle-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const entry = await built(folder)
  const pharos = (...args: string[]) => startCommand(entry, folder, join(folder, 'data'), args)
  const up = pharos(
    'up',
    ...['--port', '0', '--edge-http-port', '0', '--edge-minecraft-port', '0'],
    ...['--edge-ports', rangeOf(await reservePorts(5)), '--node-ports', rangeOf(await reservePorts(5))],
  )
  t.after(async () => {
    up.child.kill('SIGKILL')
    await up.ended
  })
  await up.says(/Ctrl-C stops Pharos/)
  const setup = pharos('setup', '--email', 'ada@example.com', '--workspace', 'Acme', '--json')
  assert.equal(await setup.ended, 0, setup.output())
  const { token } = JSON.parse(setup.output().slice(setup.output().indexOf('{'))) as { token: string }
  const [, url = ''] = await up.says(/Panel\s+(http:\/\/127\.0\.0\.1:\d+)\n/)
  assert.match(await (await fetch(url)).text(), /<html/i)
  const api = createClient(publicOperations, { baseUrl: url + apiPrefix, token, checkReplies: true })

  const COMMAND = 'echo ready; while read -r line; do echo "got $line"; done'
  const { id } = await api.createServer({ body: { name: 'Echo', template: 'command', variables: { COMMAND } } })
  const params = { serverId: keyOf(id) }
  // A failure must not leave it running: a node would, on purpose.
  t.after(() => api.deleteServer({ params }).catch(() => undefined))
  const says = (line: string) =>
    until(line, async () => (await api.consoleLog({ params })).logs.includes(line), { everyMs: 200 })
  await until('running', async () => (await api.server({ params })).status === 'running', { everyMs: 200 })
  await says('ready')
  await api.consoleCommand({ params, body: { command: 'one' } })
  await says('got one')

  await api.writeFile({ params, body: { file: '/notes.txt', content: 'hello' } })
  const { archivePath } = await api.compressFiles({ params, body: { files: ['notes.txt'], name: 'notes.zip' } })
  // In a process of its own, which has an entry of its own.
  assert.equal((await api.decompressFile({ params, body: { file: archivePath, overwrite: true } })).files, 1)
  const tasks = [{ kind: 'wait', until: 'offline' } as const]
  await api.createSchedule({ params, body: { name: 'Nightly', cron: '@yearly', tasks } })
  assert.deepEqual(await api.databases({ params }), [])
  await assert.rejects(
    api.createDatabaseHost({ body: { name: 'away', host: '127.0.0.1', port: 1, username: 'x', password: 'y' } }),
    /ECONNREFUSED/,
  )
  await api.deleteServer({ params })

  up.child.kill('SIGTERM')
  assert.equal(await up.ended, 0, up.output())
})

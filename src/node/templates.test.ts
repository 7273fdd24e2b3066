import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { ServerSpec } from '../contract/node.ts'
import type { Players } from '../contract/node-watching.ts'
import { Template } from '../contract/template.ts'
import { ask, makeSpec, openWorld, printed, reached, running } from './testing/world.ts'

const shipped = join(import.meta.dirname, '../../templates')

/** A spec of a shipped template with its defaults, as a panel sends it. */
async function shippedSpec(id: string, variables: Record<string, string> = {}): Promise<ServerSpec> {
  const value = parse(await readFile(join(shipped, id, 'template.yaml'), 'utf8'))
  for (const file of value.files ?? []) {
    if (file.from) file.content = await readFile(join(shipped, id, file.from), 'utf8')
    delete file.from
  }
  const names = await readdir(join(shipped, id, 'npm')).catch(() => [])
  const read = (name: string): Promise<string> => readFile(join(shipped, id, 'npm', name), 'utf8')
  if (names.length > 0) {
    const files = await Promise.all(
      names.filter((name) => !name.startsWith('package')).map(async (name) => ({ name, content: await read(name) })),
    )
    value.install = {
      ...value.install,
      npm: { packageJson: await read('package.json'), packageLock: await read('package-lock.json'), files },
    }
  }
  const template = Template.parse(value)
  const defaults = Object.fromEntries(template.variables.map((variable) => [variable.name, variable.default]))
  const plain = await makeSpec()
  return ServerSpec.parse({
    ...plain,
    template,
    resources: template.resources,
    variables: { ...defaults, ...variables },
  })
}

const portOf = (spec: ServerSpec): number => spec.allocations[0]?.port ?? 0

test('command runs a shell line in the sandbox', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(
    servers,
    await shippedSpec('command', { COMMAND: 'echo "port $SERVER_PORT at $PWD"; sleep 1000' }),
  )
  assert.match(await printed(servers, spec.id, 'port '), new RegExp(`^port ${portOf(spec)} at `))
  await servers.get(spec.id).power('stop')
  await reached(servers, spec.id, 'offline')
})

test('node-app brings a page of its own and serves it', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await shippedSpec('node-app'))
  await printed(servers, spec.id, 'Listening on port')
  const text = await new Promise<string>((resolve, reject) => {
    get({ host: '127.0.0.1', port: portOf(spec) }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve(body))
    }).on('error', reject)
  })
  assert.match(text, /It runs/)
  await servers.get(spec.id).power('stop')
  assert.equal((await reached(servers, spec.id, 'offline')).lastExit?.code, 0)
})

test('minecraft is installed once for two servers, starts, obeys its console and stops', async (t) => {
  const { servers } = await openWorld(t)
  const specs = [await shippedSpec('minecraft', { WORLD: 'superflat' }), await shippedSpec('minecraft')]
  for (const spec of specs) await servers.put(spec)
  for (const spec of specs)
    await reached(servers, spec.id, (state) => state.phase === 'offline' || state.phase === 'install_failed', 240_000)
  const [first] = specs
  if (!first) return
  await servers.get(first.id).power('start')
  await reached(servers, first.id, 'running')
  assert.match(await ask(servers, first.id, 'say hello', 'hello'), /\[Server\] hello/)
  const socket = connect(portOf(first), '127.0.0.1')
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.destroy()
  const players = await new Promise<Players>((resolve) => {
    const stop = servers.events.on((event) => {
      if (event.type !== 'players' || !event.players) return
      stop()
      resolve(event.players)
    })
  })
  assert.deepEqual([players.online, players.max, players.names], [0, 20, []])
  assert.equal(players.description, 'A Minecraft server on Pharos')
  await servers.get(first.id).power('stop')
  const state = await reached(servers, first.id, 'offline')
  assert.deepEqual([state.lastExit?.code, state.lastExit?.crashed], [0, false])
})

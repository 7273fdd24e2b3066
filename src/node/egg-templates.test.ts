import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSpec, openWorld, printed, reached, running, type World } from './testing/world.ts'

const fileOf = ({ dataDir }: World, id: string, name: string): string => join(dataDir, 'servers', id, 'data', name)

const start = (line: string, more: object = {}) => ({
  command: undefined,
  ready: undefined,
  lines: [{ name: 'Default', line }],
  timeoutSeconds: 60,
  ...more,
})
const script = (text: string, entrypoint = 'ash') => ({ image: 'example.org/installers:alpine', entrypoint, text })
const stop = { by: 'signal', signal: 'SIGINT' } as const

test('a script installs into /mnt/server, values go into configuration files, and a line starts it', async (t) => {
  const world = await openWorld(t)
  const spec = await running(
    world.servers,
    await makeSpec(
      {
        install: {
          script: script(
            '#!/bin/ash\r\nset -e\r\ncd /mnt/server\r\necho "port=1" > server.properties\r\necho "for $WORDS" > made\r\n',
          ),
        },
        patches: [{ path: 'server.properties', format: 'properties', set: [{ at: 'port', to: '{{SERVER_PORT}}' }] }],
        start: start(
          'echo "{{WORDS}}"; cat /home/container/server.properties; echo "up at $PWD with {{SERVER_MEMORY}} in {{NOWHERE}}."; exec sleep 1000',
          { ready: [{ pattern: '^up at \\S+ with \\d+' }] },
        ),
        stop,
      },
      { variables: { WORDS: '$(touch hacked) `id`; "quoted" {{SERVER_ID}}' } },
    ),
  )
  assert.equal(await readFile(fileOf(world, spec.id, 'made'), 'utf8'), `for ${spec.variables.WORDS}\n`)
  assert.equal(
    await readFile(fileOf(world, spec.id, 'server.properties'), 'utf8'),
    `port=${spec.allocations[0]?.port}\n`,
  )
  await printed(world.servers, spec.id, spec.variables.WORDS ?? '')
  await assert.rejects(readFile(fileOf(world, spec.id, 'hacked')), /ENOENT/)
  await world.servers.get(spec.id).power('stop')
  await reached(world.servers, spec.id, 'offline')

  // What the server has made of its file meanwhile is set again, and what cannot be set is said.
  await writeFile(fileOf(world, spec.id, 'server.properties'), Buffer.from([0, 1, 2]))
  await world.servers.get(spec.id).power('start')
  await printed(world.servers, spec.id, 'server.properties stays as it is')
  await reached(world.servers, spec.id, 'running')
})

test('the variables choose one of several lines and the image', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(
    servers,
    await makeSpec(
      {
        start: {
          ...start('echo first; exec sleep 1000'),
          lines: [
            { name: 'A', line: 'echo first; exec sleep 1000' },
            { name: 'B', line: 'echo second $STARTUP_COMMAND; exec sleep 1000' },
          ],
        },
        stop,
      },
      { variables: { STARTUP_COMMAND: 'B' } },
    ),
  )
  await printed(servers, spec.id, 'second B')
})

test('what never says that it is ready counts as running after its time where the template says so', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(
    servers,
    await makeSpec({
      start: start('exec sleep 1000', { ready: ['never printed'], timeoutSeconds: 1, late: 'running' }),
      stop,
    }),
  )
  await printed(servers, spec.id, 'it counts as running')
})

test('refuses scripts that no shell can run, and those without a sandbox, and says what would help', async (t) => {
  const { servers } = await openWorld(t)
  const python = await makeSpec({ install: { script: script('print(1)', 'python3') }, start: start('sleep 1'), stop })
  await servers.put(python)
  await reached(servers, python.id, 'install_failed')
  assert.match(servers.get(python.id).state().message ?? '', /for python3.*use a node that runs containers/)

  const bare = await openWorld(t, { runtime: 'process' })
  const shell = await makeSpec({ install: { script: script('true') }, start: start('sleep 1'), stop })
  await bare.servers.put(shell)
  await reached(bare.servers, shell.id, 'install_failed')
  assert.match(bare.servers.get(shell.id).state().message ?? '', /\/mnt\/server.*use a node that runs containers/)
})

test('a script that fails says so, and one that wants packages is told that it cannot', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await makeSpec({
    install: { script: script('apt-get install -y curl || exit 7', 'bash') },
    start: start('sleep 1'),
    stop,
  })
  await servers.put(spec)
  await reached(servers, spec.id, 'install_failed')
  assert.match(servers.get(spec.id).state().message ?? '', /ended with code 7/)
  await printed(servers, spec.id, 'It uses apt-get, which may not install anything here')
})

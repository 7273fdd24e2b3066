import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { z } from 'zod'
import type { ServerEvent } from '../../../contract/api/servers.ts'
import type { ServerStatus } from '../../../contract/power.ts'
import { untilReady } from './until-ready.ts'

type Event = z.output<typeof ServerEvent>

const id = 'servers/1a7ce997'

const status = (now: ServerStatus, message: string | null = null): Event => ({
  ...{ type: 'status', serverId: id, status: now },
  message,
})

/** What comes of a server to which this happens. */
async function waiting(happens: Event[], { start = true } = {}) {
  const said: string[] = []
  const events = (async function* () {
    yield* happens
  })()
  const end = await untilReady(events, { id, start, talk: (line) => said.push(line) }).catch((error: Error) => error)
  return { said, end }
}

test('ends when it runs, and says each thing once', async () => {
  const { said, end } = await waiting([
    ...[status('installing'), status('installing'), status('offline'), status('starting')],
    { type: 'console', serverId: id, lines: [{ seq: 1, at: null, text: 'Listening' }] },
    ...[status('running'), status('stopping')],
  ])
  assert.deepEqual(end, { status: 'running', message: null })
  assert.deepEqual(said, ['installing', 'offline', 'starting', '  Listening', 'running'])
})
test('ends when it is installed, where it shall not start', async () => {
  const { end } = await waiting([status('installing'), status('offline')], { start: false })
  assert.deepEqual(end, { status: 'offline', message: null })
})
test('fails with the reason where it could not be installed', async () => {
  const { end } = await waiting([status('installing'), status('install_failed', 'npm failed')])
  assert.match(String(end), /servers\/1a7ce997 could not be installed: npm failed\n.*console 1a7ce997/)
})
test('fails where it was started and is offline again, or could not be started for a reason', async () => {
  assert.match(String((await waiting([status('starting'), status('offline')])).end), /did not start\.\n/)
  const { end } = await waiting([status('installing'), status('offline', 'Port 25565 is taken')])
  assert.match(String(end), /did not start: Port 25565 is taken/)
})
test('fails where it was deleted meanwhile', async () => {
  const { end } = await waiting([status('installing'), { type: 'deleted', serverId: id }])
  assert.match(String(end), /was deleted/)
})

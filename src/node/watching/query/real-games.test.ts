import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { reservePort } from '../../../../test/ports.ts'
import { until } from '../../../../test/world/servers-world.ts'
import type { GameQuery } from '../../../contract/template.ts'
import { systemClock } from '../../../lib/clock.ts'
import { queryGame } from './index.ts'

/** A game of Debian's on a free port of this machine, until the test ends. */
async function started(
  t: TestContext,
  program: string,
  args: (port: number, folder: string) => string[],
): Promise<number | null> {
  const path = `/usr/games/${program}`
  const missing = await access(path).then(
    () => null,
    (error: Error) => error,
  )
  if (missing) {
    if (process.env.CI === 'true') throw missing
    t.skip(`${program} is not installed`)
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'pharos-game-'))
  const port = await reservePort()
  const game = spawn(path, args(port, folder), { cwd: folder, env: { HOME: folder }, stdio: 'ignore' })
  const ended = once(game, 'exit')
  t.after(async () => {
    game.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  })
  return port
}

/** Asks until the game is up and answers. */
const answer = (kind: GameQuery['kind'], port: number) =>
  until(`${kind} answers`, () =>
    queryGame(kind, port, { clock: systemClock, signal: new AbortController().signal }).catch(() => null),
  )

test('reads what a real Teeworlds server says', async (t) => {
  const port = await started(t, 'teeworlds-server', (free) => [
    `sv_port ${free}`,
    'sv_name "Hello \u0007there"',
    'sv_max_clients 9',
    'sv_register 0',
    'bindaddr 127.0.0.1',
  ])
  if (port === null) return
  const { online, max, names, description, version } = await answer('teeworlds', port)
  assert.deepEqual([online, max, names], [0, 9, []])
  assert.match(description ?? '', /^Hello .?there$/)
  assert.match(version ?? '', /^0\.7/)
})

test('sees that a real Luanti server is alive, again and again', async (t) => {
  const port = await started(t, 'minetestserver', (free, folder) => [
    ...['--port', String(free), '--world', join(folder, 'world')],
    ...['--gameid', 'minetest_game', '--logfile', join(folder, 'log')],
  ])
  if (port === null) return
  for (let time = 0; time < 3; time++) assert.equal((await answer('luanti', port)).online, null)
})

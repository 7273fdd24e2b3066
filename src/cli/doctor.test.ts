import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { runCli } from './cli.ts'

let home: string
let config: string
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'pharos-cli-doctor-'))
  config = join(home, 'any-ports.yaml')
  await writeFile(config, settings)
})
after(() => rm(home, { recursive: true, force: true }))

async function run(...line: string[]): Promise<{ code: number; data: string; talk: string }> {
  const said = { data: '', talk: '' }
  const none = async (): Promise<void> => undefined
  const code = await runCli(line, {
    env: { HOME: home },
    cwd: home,
    root: join(import.meta.dirname, '..', '..'),
    streams: {
      data: (text) => {
        said.data += text
      },
      talk: (text) => {
        said.talk += text
      },
    },
    stdin: Readable.from([]),
    signal: new AbortController().signal,
    roles: { up: none, panel: none, node: none, joinNode: none, edge: none },
  })
  return { code, ...said }
}

/** Any free ports: whether the usual ones are free here is none of this test's business. */
const settings = 'port: 0\nmetrics-address: 127.0.0.1:0\n'

test('the doctor ends well where nothing that is needed is missing, and tells what could be better', async () => {
  const { code, data } = await run('doctor', 'panel', '--data-dir', home, '--config', config, '--all')
  assert.equal(code, 0, data)
  assert.match(data, /^well +Node\.js /m)
  assert.match(data, /^limited +no mail server is set\n +costs: .*\n +next: +set smtp-host/m)
  assert.match(data, /^\d+ of \d+ looks found everything well\.$/m)
})

test('the doctor ends with 1 where something needed is missing, and says so as JSON, too', async () => {
  const file = join(home, 'no-folder')
  await writeFile(file, '')
  const { code, data, talk } = await run(
    'doctor',
    'panel',
    '--data-dir',
    join(file, 'data'),
    '--config',
    config,
    '--json',
  )
  assert.equal(code, 1)
  const { able, findings } = JSON.parse(data) as { able: boolean; findings: { check: string; state: string }[] }
  assert.equal(able, false)
  assert.ok(findings.some(({ check, state }) => check === 'data-folder' && state === 'missing'))
  assert.match(talk, /This machine lacks something that "pharos panel" needs/)
})

test('the doctor refuses a role that is none, and settings that are wrong', async () => {
  assert.equal((await run('doctor', 'nurse')).code, 2)
  const bad = join(home, 'bad.yaml')
  await writeFile(bad, 'log-level: loud\n')
  const { code, talk } = await run('doctor', '--config', bad)
  assert.equal(code, 2)
  assert.match(talk, /log-level in .*bad\.yaml must be one of/)
})

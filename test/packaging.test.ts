import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { allSettings } from '../src/settings/roles.ts'
import { variableOf } from '../src/settings/setting.ts'

const root = join(import.meta.dirname, '..')
const units = globSync('packaging/systemd/*.service', { cwd: root }).sort()
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')
/** All values of a key. */
const valuesOf = (unit: string, key: string): string[] =>
  [...textOf(unit).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)

const roleOf = (unit: string): string => valuesOf(unit, 'ExecStart')[0]?.split(' ').at(-1) ?? ''

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pharos-packaging-'))
})
after(() => rm(folder, { recursive: true, force: true }))

/** What systemd finds wrong with a unit; null where it is not installed. */
function verify(path: string, t: TestContext): string | null {
  const { error, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
  if (error) {
    if (process.env.CI === 'true') throw new Error('systemd-analyze is not installed: apt-get install systemd')
    t.skip('systemd is not installed')
    return null
  }
  // Units of this machine may have faults of their own.
  return `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line.includes(basename(path)))
    .join('\n')
}

describe('the systemd units', () => {
  test('are one for each role', () => {
    assert.deepEqual(units.map(roleOf).sort(), ['edge', 'node', 'panel', 'up'])
  })

  for (const unit of units) {
    test(`${basename(unit)} is right in systemd’s eyes`, (t) => {
      const wrong = verify(join(root, unit), t)
      if (wrong !== null) assert.equal(wrong, '')
    })

    test(`${basename(unit)} keeps its data where the role looks for it, and holds no secret`, () => {
      const environment = valuesOf(unit, 'Environment')
      assert.deepEqual(environment, [`PHAROS_DATA_DIR=/var/lib/${valuesOf(unit, 'StateDirectory')[0]}`])
      assert.match(valuesOf(unit, 'EnvironmentFile')[0] ?? '', /^-\/etc\/pharos\/[a-z]+\.env$/)
    })
  }

  for (const unit of units.filter((unit) => ['node', 'up'].includes(roleOf(unit))))
    test(`${basename(unit)} leaves game servers running, and hides nothing that a sandbox needs`, () => {
      assert.deepEqual(
        ['KillMode', 'Delegate', 'OOMPolicy'].map((key) => valuesOf(unit, key)[0]),
        ['process', 'yes', 'continue'],
      )
      assert.doesNotMatch(textOf(unit), /^(Protect|Private|Restrict[A-Z]|SystemCall|NoNew|User=)/m)
    })

  for (const unit of units.filter((unit) => ['panel', 'edge'].includes(roleOf(unit))))
    test(`${basename(unit)} may write nothing but its data, and is not root`, () => {
      assert.deepEqual(
        ['User', 'ProtectSystem', 'NoNewPrivileges'].map((key) => valuesOf(unit, key)[0]),
        ['pharos', 'strict', 'yes'],
      )
    })

  test('would be refused with a key that systemd does not know, or a program that is not there', async (t) => {
    const bad = join(folder, 'pharos-bad.service')
    await writeFile(bad, '[Service]\nKilMode=process\nExecStart=/no/such/program\n')
    const wrong = verify(bad, t)
    if (wrong === null) return
    assert.match(wrong, /KilMode/)
    assert.match(wrong, /\/no\/such\/program/)
  })
})

describe('the container image', () => {
  const text = textOf('packaging/Containerfile')

  test('copies only what is there, and what is not ignored', () => {
    const ignored = textOf('.dockerignore').split('\n')
    for (const path of [
      'package.json',
      'LICENSE',
      'templates',
      'bin/pharos.js',
      'packaging/runtime-packages.js',
      'scripts',
      'src',
      'web',
    ]) {
      assert.ok(existsSync(join(root, path)), path)
      assert.ok(!ignored.includes(path.split('/')[0] ?? ''), path)
    }
  })

  test('sets no variable that no role knows, and no secret', () => {
    const known = Object.entries(allSettings)
      .filter(([, { secret }]) => !secret)
      .map(([name]) => variableOf(name))
    const set = [...text.matchAll(/\b(PHAROS_[A-Z0-9_]+)=/g)].map(([, name = '']) => name)
    assert.ok(set.length > 0)
    assert.deepEqual(
      set.filter((name) => !known.includes(name)),
      [],
    )
  })

  test('does not run as root, and asks for its health where it is told', () => {
    assert.match(text, /^USER node$/m)
    const [, address] = /PHAROS_METRICS_ADDRESS=(\S+)/.exec(text) ?? []
    assert.ok(address && text.includes(`fetch('http://${address}/healthz')`))
  })
})

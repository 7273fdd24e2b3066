import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { resolveSettings, SettingsError, type Sources } from './resolve.ts'
import { allSettings, edgeSettings, upSettings } from './roles.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pharos-settings-'))
})
after(() => rm(folder, { recursive: true }))

const sources = (given: Partial<Sources> = {}): Sources => ({
  flags: {},
  env: {},
  configFile: undefined,
  defaultFolder: () => join(folder, 'nothing-here'),
  known: allSettings,
  otherVariables: ['PHAROS_URL', 'PHAROS_API_KEY'],
  ...given,
})

async function file(content: string): Promise<string> {
  const path = join(folder, `${Math.random()}.yaml`)
  await writeFile(path, content)
  return path
}

async function refusal(given: Partial<Sources>, declared: typeof upSettings | typeof edgeSettings = upSettings) {
  const error = await resolveSettings<typeof declared>(declared, sources(given)).then(
    () => assert.fail('was accepted'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof SettingsError, String(error))
  return error.problems.join('\n')
}

describe('settings', () => {
  test('are all there with nothing configured', async () => {
    const settings = await resolveSettings(upSettings, sources())
    assert.equal(settings.port, 4600)
    assert.deepEqual(settings.edgePorts, { first: 30000, last: 30999 })
    assert.deepEqual(settings.trustedProxies, [])
    assert.equal(settings.databaseUrl, undefined)
  })

  test('come from flags before variables before the file', async () => {
    const configFile = await file('port: 1003\nedge-base: file.example.org\nhost: 10.0.0.3\n')
    const env = { PHAROS_PORT: '1002', PHAROS_EDGE_BASE: 'env.example.org' }
    const settings = await resolveSettings(upSettings, sources({ flags: { port: '1001' }, env, configFile }))
    assert.deepEqual([settings.port, settings.edgeBase, settings.host], [1001, 'env.example.org', '10.0.0.3'])
  })

  test('are read from pharos.yaml in the data folder that the flag names', async () => {
    await writeFile(join(folder, 'pharos.yaml'), 'port: 4711\n')
    const defaultFolder = (dataDir: string | undefined): string => dataDir ?? 'elsewhere'
    const settings = await resolveSettings(upSettings, sources({ flags: { dataDir: folder }, defaultFolder }))
    assert.equal(settings.port, 4711)
    await rm(join(folder, 'pharos.yaml'))
  })

  test('take no notice of a variable that is set to nothing, nor of keys of another role', async () => {
    const configFile = await file('edge-tokens-file: tokens.json\n')
    const settings = await resolveSettings(upSettings, sources({ env: { PHAROS_PORT: '' }, configFile }))
    assert.equal(settings.port, 4600)
  })

  test('take a secret from a variable or a file, and never show it', async () => {
    const path = await file('postgres://ada:hunter2@db/pharos\n')
    for (const given of [
      { env: { PHAROS_DATABASE_URL: 'postgres://ada:hunter2@db/pharos' } },
      { env: { PHAROS_DATABASE_URL_FILE: path } },
      { flags: { databaseUrlFile: path } },
    ]) {
      const { databaseUrl } = await resolveSettings(upSettings, sources(given))
      assert.equal(databaseUrl?.reveal(), 'postgres://ada:hunter2@db/pharos')
      assert.doesNotMatch(JSON.stringify({ databaseUrl }), /hunter2/)
    }
  })

  test('take lists with commas or as a YAML list', async () => {
    const configFile = await file('trusted-proxies: [10.0.0.0/8, "::1"]\n')
    const fromFile = await resolveSettings(upSettings, sources({ configFile }))
    const fromFlag = await resolveSettings(upSettings, sources({ flags: { trustedProxies: '10.0.0.0/8, ::1' } }))
    assert.deepEqual(fromFile.trustedProxies, ['10.0.0.0/8', '::1'])
    assert.deepEqual(fromFlag.trustedProxies, fromFile.trustedProxies)
  })
})

describe('settings are refused, naming the place:', () => {
  test('a flag with a bad value', async () => {
    assert.match(await refusal({ flags: { port: '70000' } }), /^--port must be a port from 0 to 65535.*it is "70000"/)
  })
  test('a variable with a bad value', async () => {
    assert.match(await refusal({ env: { PHAROS_EDGE_PORTS: '3000' } }), /^PHAROS_EDGE_PORTS must be two ports/)
  })
  test('a port range from high to low', async () => {
    assert.match(await refusal({ flags: { nodePorts: '200-100' } }), /--node-ports must be/)
  })
  test('a key with a bad value', async () => {
    const configFile = await file('log-level: loud\n')
    assert.match(await refusal({ configFile }), /^log-level in .*\.yaml must be one of debug, info, warn/)
  })
  test('an unknown key, with the one that was meant', async () => {
    const configFile = await file('edge-http-prot: 80\n')
    assert.match(await refusal({ configFile }), /the key "edge-http-prot" in .*did you mean edge-http-port\?/)
  })
  test('an unknown variable, with the one that was meant', async () => {
    assert.match(
      await refusal({ env: { PHAROS_DATADIR: '/x' } }),
      /the variable PHAROS_DATADIR; did you mean PHAROS_DATA_DIR\?/,
    )
  })
  test('a file that was asked for and is not there', async () => {
    assert.match(await refusal({ configFile: join(folder, 'none.yaml') }), /none\.yaml cannot be read/)
  })
  test('a file that is no YAML', async () => {
    assert.match(await refusal({ configFile: await file('port: [1\n') }), /is not right/)
  })
  test('a file that is a list', async () => {
    assert.match(await refusal({ configFile: await file('- port\n') }), /must be a list of "key: value" lines/)
  })
  test('a secret of the wrong form, without showing it', async () => {
    const problems = await refusal({ env: { PHAROS_DATABASE_URL: 'mysql://ada:hunter2@db' } })
    assert.match(problems, /^PHAROS_DATABASE_URL must be a URL that begins with postgres:/)
    assert.doesNotMatch(problems, /hunter2/)
  })
  test('a secret that is given twice', async () => {
    const path = await file('postgres://b')
    const env = { PHAROS_DATABASE_URL: 'postgres://a', PHAROS_DATABASE_URL_FILE: path }
    assert.match(await refusal({ env }), /PHAROS_DATABASE_URL and PHAROS_DATABASE_URL_FILE are both set/)
  })
  test('a secret’s file that is not there', async () => {
    assert.match(
      await refusal({ flags: { databaseUrlFile: join(folder, 'none') } }),
      /--database-url-file names .*cannot be read/,
    )
  })
  test('a panel address without its pin', async () => {
    assert.match(
      await refusal({ env: { PHAROS_EDGE_PANELS: 'panel.example.org:4600' } }, edgeSettings),
      /^PHAROS_EDGE_PANELS must be host:port#pin/,
    )
  })
  test('everything that is wrong, at once', async () => {
    const problems = await refusal({ flags: { port: 'x' }, env: { PHAROS_HOST: 'http://x', PHAROS_NOPE: '1' } })
    assert.equal(problems.split('\n').length, 3)
  })
})

import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { reservePort } from '../../test/ports.ts'
import { Secret } from '../lib/secret.ts'
import { readAccount, saveAccount } from './account.ts'
import { runCli } from './cli.ts'
import { commands } from './commands/index.ts'
import type { Surroundings } from './surroundings.ts'

let home: string
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'pharos-cli-'))
})
after(() => rm(home, { recursive: true }))

interface Ran {
  code: number
  data: string
  talk: string
  started: { role: string; settings: object; token?: unknown }[]
}

/** Runs a command line in an empty world. */
async function run(line: readonly string[], given: Partial<Surroundings> = {}): Promise<Ran> {
  const ran: Ran = { code: 0, data: '', talk: '', started: [] }
  const start =
    (role: string) =>
    async (settings: object, token?: unknown): Promise<void> => {
      ran.started.push({ role, settings, ...(role === 'join' && { token }) })
    }
  ran.code = await runCli(line, {
    env: { HOME: home },
    cwd: home,
    root: join(import.meta.dirname, '..', '..'),
    streams: {
      data: (text) => {
        ran.data += text
      },
      talk: (text) => {
        ran.talk += text
      },
    },
    stdin: Readable.from([]),
    signal: new AbortController().signal,
    roles: {
      up: start('up'),
      panel: start('panel'),
      node: start('node'),
      joinNode: start('join'),
      edge: start('edge'),
    },
    ...given,
  })
  return ran
}

describe('the command line', () => {
  for (const { path, examples } of commands)
    test(`explains "${path}" with an example`, async () => {
      const { code, data } = await run([...path.split(' '), '--help'])
      assert.equal(code, 0)
      assert.match(data, /--json/)
      assert.ok(examples.length > 0 && data.includes(`Examples:\n  ${examples[0]}`), data)
    })

  for (const role of ['up', 'panel', 'node', 'node join', 'edge'])
    test(`explains "${role}" with an example`, async () => {
      const { code, data } = await run([...role.split(' '), '--help'])
      assert.equal(code, 0)
      assert.match(data, /--data-dir <value>[\s\S]*Examples:\n {2}pharos /)
    })

  test('never takes a secret as a flag', async () => {
    for (const role of ['up', 'panel', 'edge']) {
      const { data } = await run([role, '--help'])
      assert.doesNotMatch(data, /--(database-url|edge-credential) </)
    }
  })

  test('prints its version on standard output', async () => {
    const { code, data } = await run(['--version'])
    assert.deepEqual([code, /^\d+\.\d+\.\d+\n$/.test(data)], [0, true])
  })

  test('starts a role with what flags, variables and defaults say', async () => {
    const { code, started } = await run(['up', '--port', '9000', '--data-dir', 'here'], {
      env: { HOME: home, PHAROS_EDGE_BASE: 'example.org' },
    })
    assert.equal(code, 0)
    assert.equal(started[0]?.role, 'up')
    assert.partialDeepStrictEqual(started[0]?.settings, {
      port: 9000,
      edgeBase: 'example.org',
      host: '127.0.0.1',
      dataDir: join(home, 'here'),
    })
  })

  test('joins with flags after the verb and after the noun, and a token that is piped in, in a variable or in a file', async () => {
    await writeFile(join(home, 'token'), 'phj_x\n')
    const ways: [line: string[], more: Partial<Surroundings>][] = [
      [['node', 'join', '--data-dir', 'here'], { stdin: Readable.from(['phj_x\n']) }],
      [['node', '--data-dir', 'here', 'join'], { env: { HOME: home, PHAROS_JOIN_TOKEN: 'phj_x' } }],
      [['node', 'join', '--data-dir', 'here', '--join-token-file', join(home, 'token')], {}],
    ]
    for (const [line, more] of ways) {
      const { started } = await run(line, more)
      assert.equal(started[0]?.token, 'phj_x')
      assert.equal(started[0]?.role, 'join')
      assert.partialDeepStrictEqual(started[0]?.settings, { dataDir: join(home, 'here') })
    }
  })

  test('keeps the data of an installed program in the user’s folder', async () => {
    const root = join(home, 'node_modules', 'pharos')
    await mkdir(root, { recursive: true })
    await copyFile(join(import.meta.dirname, '..', '..', 'package.json'), join(root, 'package.json'))
    const { started } = await run(['up'], { root })
    assert.partialDeepStrictEqual(started[0]?.settings, { dataDir: join(home, '.local', 'share', 'pharos') })
  })
})

describe('the command line refuses with exit code 2', () => {
  const refused: Record<string, [line: string[], words: RegExp]> = {
    'an unknown command': [['opne', '3000'], /unknown command 'opne'[\s\S]*Did you mean open\?/],
    'an unknown flag': [['up', '--prot', '1'], /unknown option '--prot'[\s\S]*--port/],
    'a noun without a verb': [['servers'], /Usage: pharos servers/],
    'a missing argument': [['open'], /Which port\? Say it \("pharos open 3000"\).*"pharos link 3000 --as web"/],
    'a port that is none': [['open', '99999'], /<port>: /],
    'a tunnel name that is no host name': [['open', '3000', '--as', 'My_Web'], /--as: must be a DNS label/],
    'too many days': [['usage', '--days', '400'], /--days: /],
    'deleting without --yes': [['servers', 'delete', 'survival'], /--yes/],
    'deleting a database without --yes': [['databases', 'delete', 'survival', 'shop'], /--yes/],
    'an address that is no URL': [['use', 'panel.example.org'], /<url>: must begin with http/],
    'a set-up without e-mail': [['setup', '--workspace', 'Acme'], /--email: is needed/],
    'a bad setting': [['up', '--port', 'x'], /--port must be a port/],
    'joining without a token': [['node', 'join'], /No join token came/],
    'a join token as an argument': [['node', 'join', 'phj_x'], /every user of this machine can read command lines/],
    'a secret as a flag': [['panel', '--database-url', 'postgres://x'], /unknown option '--database-url'/],
    'a plan that there is not': [['plans', 'set', 'gold', '--tunnels', '1'], /<plan>: /],
    'a plan without a change': [['plans', 'set', 'standard'], /Say what to change: --tunnels/],
    'a size that is none': [['plans', 'set', 'standard', '--rate', '10Q'], /--rate: must be bytes, with k, M, G or T/],
    'a workspace’s plan without a change': [['plans', 'assign', 'acme'], /Say what to change: --plan/],
    'a transport that there is not': [['open', '3000', '--transport', 'pigeon'], /--transport: /],
    'HTTP/2 by a raw port': [['open', '3000', '--tcp', '--http2'], /--http2 is for HTTP by host name/],
    'an expiry that is no date': [['tokens', 'create', '--expires', 'tomorrow'], /--expires: /],
  }
  for (const [what, [line, words]] of Object.entries(refused))
    test(what, async () => {
      const { code, data, talk } = await run(line)
      assert.deepEqual([code, data], [2, ''])
      assert.match(talk, words)
    })

  test('an agent’s file with an unknown key', async () => {
    await writeFile(join(home, 'tunnels.yaml'), 'tunnels:\n  - { name: web, prot: 3000 }\n')
    const { code, talk } = await run(['agent', 'tunnels.yaml'])
    assert.equal(code, 2)
    assert.match(talk, /tunnels\.0[\s\S]*prot/)
  })

  const contradictions: Record<string, RegExp> = {
    'tunnels:\n  - { name: web, port: 3000, edgePort: 30000 }\n': /edgePort are for tcp and udp/,
    'tunnels:\n  - { name: web, port: 3000, kind: tls, http2: true }\n': /http2 is for HTTP by host name/,
    'tunnels:\n  - { name: web, port: 3000, healthPath: /well }\n': /healthPath is for pool: true/,
    'tunnels:\n  - { name: web, port: 3000, http2: true, pool: true, healthPath: /well }\n': /over HTTP\/1/,
    'tunnels:\n  - { name: web, port: 65535, kind: tcp, ports: 2 }\n': /no 2 ports from 65535/,
    'transport: pigeon\ntunnels:\n  - { name: web, port: 3000 }\n': /transport: /,
  }
  test('an agent’s file that contradicts itself', async () => {
    for (const [text, words] of Object.entries(contradictions)) {
      await writeFile(join(home, 'tunnels.yaml'), text)
      const { code, talk } = await run(['agent', 'tunnels.yaml'])
      assert.equal(code, 2, text)
      assert.match(talk, words)
    }
  })

  test('an agent’s file that names a tunnel twice', async () => {
    await writeFile(
      join(home, 'twice.yaml'),
      'tunnels:\n  - { name: web, port: 3000 }\n  - { name: web, port: 3001 }\n',
    )
    assert.match((await run(['agent', 'twice.yaml'])).talk, /"web" twice/)
  })

  test('a key that does not come', async () => {
    const { code, talk } = await run(['use', 'http://127.0.0.1:1'])
    assert.equal(code, 2)
    assert.match(talk, /No API key came on standard input/)
  })
})

describe('the command line fails with exit code 1 and the next move', () => {
  test('when no panel is known', async () => {
    const { code, data, talk } = await run(['servers', 'list'])
    assert.deepEqual([code, data], [1, ''])
    assert.match(talk, /Run "pharos login --panel <url>", .* or set PHAROS_URL and PHAROS_API_KEY/)
  })
  test('when the panel does not answer', async () => {
    const port = await reservePort()
    const env = { HOME: home, PHAROS_URL: `http://127.0.0.1:${port}`, PHAROS_API_KEY: 'phk_x' }
    const { code, talk } = await run(['servers', 'list', '--json'], { env })
    assert.equal(code, 1)
    assert.match(talk, /Cannot reach http:\/\/127\.0\.0\.1:\d+: nothing listens there/)
    assert.doesNotMatch(talk, /phk_x/)
  })
  test('when an address has no key: that of another panel is not sent to it', async () => {
    const configHome = join(home, 'other')
    await saveAccount(configHome, { url: 'http://127.0.0.1:1', key: new Secret('phk_saved') })
    const env = { HOME: home, XDG_CONFIG_HOME: configHome, PHAROS_URL: 'http://evil.example' }
    const { code, talk } = await run(['servers', 'list'], { env })
    assert.equal(code, 1)
    assert.match(talk, /No API key for http:\/\/evil\.example/)
  })
  test('when nothing runs on the data folder', async () => {
    const { code, talk } = await run(['setup', '--email', 'ada@example.com', '--workspace', 'Acme', '--data-dir', home])
    assert.equal(code, 1)
    assert.match(talk, /No panel runs on the data folder .*Start it with "npm start"/)
  })
  test('when the account file is damaged', async () => {
    const configHome = join(home, 'damaged')
    await saveAccount(configHome, { url: 'http://127.0.0.1:1', key: new Secret('phk_x') })
    await writeFile(join(configHome, 'pharos', 'account.json'), '{')
    const { code, talk } = await run(['status'], { env: { HOME: home, XDG_CONFIG_HOME: configHome } })
    assert.equal(code, 1)
    assert.match(talk, /account\.json is damaged/)
  })
})

test('the account file is for its user alone', async () => {
  const configHome = join(home, 'mine')
  const path = await saveAccount(configHome, { url: 'http://127.0.0.1:4600', key: new Secret('phk_x') })
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal((await stat(dirname(path))).mode & 0o777, 0o700)
  assert.equal((await readAccount(configHome))?.key.reveal(), 'phk_x')
})

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { runCli } from '../../src/cli/cli.ts'
import { reservePort } from '../ports.ts'
import { startAcme } from '../world/panel.ts'

/** The real command line signs in to a real panel. A poll comes five seconds after the code, as the panel says. */
let world: Awaited<ReturnType<typeof startAcme>>
let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pharos-login-'))
  world = await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') })
})
after(async () => {
  await world?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Somebody's home, and what commands say there. */
async function somebody(name: string) {
  const home = await mkdtemp(join(folder, `${name}-`))
  const account = join(home, '.config', 'pharos', 'account.json')
  const start = (
    line: readonly string[],
    { env = {}, input }: { env?: Record<string, string>; input?: string } = {},
  ) => {
    const said = { data: '', talk: '' }
    const first = Promise.withResolvers<void>()
    const unused = async (): Promise<void> => assert.fail('a command of the API starts no role')
    const interrupt = new AbortController()
    const code = runCli(line, {
      env: { HOME: home, ...env },
      cwd: home,
      root: join(import.meta.dirname, '..', '..'),
      streams: {
        data(text) {
          said.data += text
          first.resolve()
        },
        talk: (text) => {
          said.talk += text
        },
      },
      stdin: Readable.from(input === undefined ? [] : [Buffer.from(input)]),
      signal: interrupt.signal,
      roles: { up: unused, panel: unused, node: unused, joinNode: unused, edge: unused },
    })
    void code.then(() => first.resolve())
    return { said, code, first: first.promise, interrupt }
  }
  const run = async (line: readonly string[], options?: Parameters<typeof start>[1]) => {
    const { said, code } = start(line, options)
    return { code: await code, ...said }
  }
  /** Begins to sign in, and returns when the code is there. */
  const signIn = async () => {
    const running = start(['login', '--panel', world.panel.url, '--name', `a test of ${name}`, '--json'])
    await running.first
    const { code, url } = JSON.parse(running.said.data.split('\n')[0] ?? '') as Record<string, string>
    return { ...running, userCode: code ?? '', url }
  }
  return { home, account, start, run, signIn, saved: async () => JSON.parse(await readFile(account, 'utf8')) }
}

test('login shows a link and a code, saves the key once somebody approves, and logout revokes it', async () => {
  const [ada, denied, patient] = await Promise.all([somebody('ada'), somebody('denied'), somebody('patient')])
  const [signing, refused, left] = await Promise.all([ada.signIn(), denied.signIn(), patient.signIn()])
  assert.equal(signing.url, `${world.panel.url}/device`)
  assert.match(signing.said.talk, new RegExp(`Open ${world.panel.url}/device [^]*\n  ${signing.userCode}\n`))
  assert.equal((await world.acme.findDeviceSignIn({ body: { userCode: signing.userCode } })).client, 'a test of ada')
  await world.acme.denyDeviceSignIn({ body: { userCode: refused.userCode } })
  await world.acme.approveDeviceSignIn({ body: { userCode: signing.userCode } })
  left.interrupt.abort(new Error('Ctrl-C'))
  assert.equal(await left.code, 130)

  assert.equal(await signing.code, 0, signing.said.talk)
  const { accountFile, keyId, ...result } = JSON.parse(signing.said.data.split('\n')[1] ?? '')
  assert.deepEqual(result, { url: world.panel.url, user: 'ada@example.com', workspace: 'acme', expiresAt: null })
  assert.equal(accountFile, ada.account)
  assert.equal((await stat(ada.account)).mode & 0o777, 0o600)
  const saved = await ada.saved()
  assert.equal(saved.keyId, keyId)
  // The key is in the file and nowhere else.
  assert.ok(!(signing.said.data + signing.said.talk).includes(saved.key))
  assert.equal((await ada.run(['usage', '--json'])).code, 0)

  assert.equal(await refused.code, 1)
  assert.match(refused.said.talk, /The sign-in was refused/)
  await assert.rejects(stat(denied.account))

  const out = await ada.run(['logout', '--json'])
  assert.deepEqual([out.code, JSON.parse(out.data)], [0, { url: world.panel.url, signedOut: true, revoked: true }])
  await assert.rejects(stat(ada.account))
  await assert.rejects(world.client(saved.key).workspace(), { code: 'unauthorized' })
  assert.equal((await ada.run(['usage'])).code, 1)
  assert.match((await ada.run(['logout'])).data, /Nobody was signed in/)
})

test('logout forgets a key that it did not make, and says when one could not be revoked', async () => {
  const ada = await somebody('other')
  const mine = (await world.acme.createToken({ body: {} })).token
  assert.equal((await ada.run(['use', world.panel.url], { input: mine })).code, 0)
  const out = await ada.run(['logout', '--json'])
  assert.deepEqual(JSON.parse(out.data), { url: world.panel.url, signedOut: true, revoked: false })
  assert.equal((await world.client(mine).workspace()).slug, 'acme')

  const { saveAccount } = await import('../../src/cli/account.ts')
  const { Secret } = await import('../../src/lib/secret.ts')
  const away = { url: `http://127.0.0.1:${await reservePort()}`, key: new Secret('phk_secret'), keyId: 'tok_1' }
  await saveAccount(join(ada.home, '.config'), away)
  const failed = await ada.run(['logout'])
  assert.deepEqual([failed.code, failed.data], [1, ''])
  assert.match(failed.talk, /signed out here, but the key still works: .*pharos tokens revoke tok_1/)
  assert.doesNotMatch(failed.talk, /phk_secret/)
  await assert.rejects(stat(ada.account))
})

test('login says what to do without a panel, without an answer, and beside a key in the environment', async () => {
  const ada = await somebody('lost')
  const nowhere = await ada.run(['login'])
  assert.equal(nowhere.code, 2)
  assert.match(nowhere.talk, /Say where it is: pharos login --panel/)
  assert.equal((await ada.run(['login', '--panel', 'ftp://x'])).code, 2)
  const silent = await ada.run(['login', '--panel', `http://127.0.0.1:${await reservePort()}`])
  assert.equal(silent.code, 1)
  assert.match(silent.talk, /Cannot reach/)
  assert.match((await ada.run(['logout'], { env: { BEAMD_API_KEY: 'x' } })).talk, /BEAMD_API_KEY is still set/)
})

test('of two keys in the environment PHAROS_API_KEY wins over BEAMD_API_KEY, and either over the file', async (t) => {
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization)
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"unauthorized"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const PHAROS_URL = `http://127.0.0.1:${address.port}`
  const ada = await somebody('keys')
  await ada.run(['usage'], { env: { PHAROS_URL, PHAROS_API_KEY: 'phk_ours', BEAMD_API_KEY: 'theirs' } })
  await ada.run(['usage'], { env: { PHAROS_URL, BEAMD_API_KEY: 'theirs' } })
  await ada.run(['usage'], { env: { PHAROS_URL, PHAROS_API_KEY: '', BEAMD_API_KEY: 'theirs' } })
  assert.deepEqual(asked, ['Bearer phk_ours', 'Bearer theirs', 'Bearer theirs'])
})

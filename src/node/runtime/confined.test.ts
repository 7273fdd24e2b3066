import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openTestRuntime } from '../testing/world.ts'

/** What a program does that was taken over by the archive it reads. */
const hostile = `
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
const attempt = (act) => { try { return act() } catch (error) { return error.code } }
const said = {
  wrote: attempt(() => writeFileSync('mine', 'x')),
  root: attempt(() => writeFileSync('/evil', 'x')),
  program: attempt(() => writeFileSync('/opt/program/evil', 'x')),
  secret: attempt(() => readFileSync(process.argv[2] ?? '/etc/shadow', 'utf8')),
  accounts: attempt(() => readFileSync('/etc/passwd', 'utf8')),
  homes: attempt(() => readdirSync('/home')),
  uid: process.getuid(),
  processes: readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length,
  secrets: Object.keys(process.env).length,
}
createConnection(PORT, '127.0.0.1').on('connect', () => say('reached')).on('error', (error) => say(error.code))
function say(network) { process.stdout.write(JSON.stringify({ ...said, network }), () => process.exit()) }`

async function confine(t: TestContext, main: (port: number) => string) {
  const dataDir = await mkdtemp(join(tmpdir(), 'pharos-confined-'))
  t.after(() => rm(dataDir, { recursive: true, force: true }))
  const runtime = await openTestRuntime(dataDir, {})
  t.after(() => runtime[Symbol.asyncDispose]())
  if (!runtime.capabilities.isolation) {
    assert.notEqual(process.env.CI, 'true', runtime.capabilities.warnings.join('; '))
    t.skip('this machine can make no sandbox')
    return null
  }
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  await mkdir(join(dataDir, 'program'))
  await writeFile(join(dataDir, 'program/main.mjs'), main(typeof address === 'object' && address ? address.port : 0))
  const folder = join(dataDir, 'servers/one')
  await mkdir(folder, { recursive: true })
  const owner = await runtime.prepare(folder)
  const request = {
    owner,
    folder: join(folder, 'data'),
    nodeOptions: [],
    limits: { memoryBytes: 2 ** 28, cpuCores: 1 },
  }
  const program = { root: dataDir, parts: ['program'], main: 'program/main.mjs' }
  return { ...request, confinement: await runtime.confine({ ...request, program }) }
}

test('a program of the node that an archive took over reaches nothing but its folder', async (t) => {
  const world = await confine(t, (port) => hostile.replace('PORT', String(port)))
  if (!world) return
  await using confinement = world.confinement
  const [command, ...rest] = confinement.command
  const child = spawn(command, rest, { cwd: confinement.cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  await once(child, 'close')
  const { processes, wrote, ...said } = JSON.parse(text)
  assert.equal(wrote, undefined)
  assert.ok(processes <= 3, `${processes} processes are in sight`)
  assert.deepEqual(said, {
    root: 'EROFS',
    program: 'EROFS',
    secret: 'ENOENT',
    accounts: 'ENOENT',
    homes: ['work'],
    uid: world.owner?.uid ?? process.getuid?.(),
    // `PWD`, which the sandbox itself sets.
    secrets: 1,
    network: 'ECONNREFUSED',
  })
  assert.deepEqual(await readdir(world.folder), ['mine'])
})

test('a program of the node that takes too much memory is ended', async (t) => {
  const world = await confine(t, () => 'const all = []; for (;;) all.push(Buffer.alloc(4e6, 1))')
  if (!world) return
  await using confinement = world.confinement
  const [command, ...rest] = confinement.command
  const child = spawn(command, rest, { cwd: confinement.cwd, stdio: 'ignore' })
  const [code, signal] = await once(child, 'close')
  assert.ok(code !== 0 || signal !== null)
})

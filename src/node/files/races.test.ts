import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { patienceMs } from '../../../test/patience.ts'
import { AppError } from '../../contract/errors.ts'
import { noSignal, openTestFiles } from './testing.ts'

/** Turns `d` into a link to the outside and back, and `f` into a link to a file outside and back, as fast as it can. */
const swapper = `
const { renameSync, symlinkSync, mkdirSync, rmSync, writeFileSync } = require('node:fs')
const [root, outside] = process.argv.slice(1)
process.chdir(root)
const quietly = (act) => { try { act() } catch {} }
symlinkSync(outside, 'l'); mkdirSync('r'); writeFileSync('r/keep', 'inside')
symlinkSync(outside + '/keep', 'fl'); writeFileSync('fr', 'inside')
process.stdout.write('ready')
process.stdin.resume().on('close', () => process.exit())
const turn = () => {
  quietly(() => renameSync('l', 'd')); quietly(() => renameSync('d', 'l'))
  quietly(() => renameSync('r', 'd')); quietly(() => renameSync('d', 'r'))
  quietly(() => renameSync('fl', 'f')); quietly(() => renameSync('f', 'fl'))
  quietly(() => renameSync('fr', 'f')); quietly(() => renameSync('f', 'fr'))
  quietly(() => symlinkSync(outside, 'l')); quietly(() => { mkdirSync('r'); writeFileSync('r/keep', 'inside') })
  quietly(() => symlinkSync(outside + '/keep', 'fl')); quietly(() => writeFileSync('fr', 'inside', { flag: 'wx' }))
  setImmediate(turn)
}
turn()`

/** At least; enough that each operation meets each state of the folder many times. */
const rounds = 100

test('nothing outside is read, made, changed or removed while links and folders are swapped under thousands of requests (CVE-2024-27102)', async (t) => {
  const { files, root, outside, folder } = await openTestFiles(t)
  const canary = join(outside, 'keep')
  await writeFile(canary, 'outside', { mode: 0o600 })
  await mkdir(join(outside, 'sub'))
  const before = await stat(canary)
  const swapping = spawn(process.execPath, ['-e', swapper, root, outside], { stdio: ['pipe', 'pipe', 'inherit'] })
  const stop = async (): Promise<void> => {
    if (swapping.exitCode === null && swapping.signalCode === null && swapping.kill('SIGKILL'))
      await once(swapping, 'close')
  }
  await using _stopping = { [Symbol.asyncDispose]: stop }
  await once(swapping.stdout, 'data')

  const outcomes = new Map<string, number>()
  const attempt = async (name: string, act: () => Promise<unknown>): Promise<void> => {
    let outcome = 'done'
    try {
      await act()
    } catch (error) {
      assert.ok(error instanceof AppError, `${name}: ${error}`)
      outcome = error.code
    }
    outcomes.set(`${name} ${outcome}`, (outcomes.get(`${name} ${outcome}`) ?? 0) + 1)
  }
  const content = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('written')
  }
  const read = async (path: string): Promise<void> => {
    await using file = await files.openFile(path)
    assert.notEqual(await file.readFile('utf8'), 'outside')
  }
  const hasMet = (outcome: string): boolean => [...outcomes.keys()].some((key) => key.endsWith(` ${outcome}`))
  // How often the two meet is for the system to decide: without either outcome nothing would have been tried.
  const metAll = (): boolean => outcomes.has('write done') && hasMet('forbidden')
  const end = performance.now() + patienceMs
  for (let round = 0; round < rounds || (!metAll() && performance.now() < end); round += 1)
    await Promise.all([
      attempt('read', () => read('/d/keep')),
      attempt('read file', () => read('/f')),
      attempt('list', async () => {
        const { files: found } = await files.list('/d', 100, undefined)
        assert.ok(!found.some(({ name }) => name === 'sub'))
      }),
      attempt('write', () => files.write(`/d/w${round % 3}`, content(), { overwrite: true, expectedBytes: 7 })),
      attempt('write file', () => files.write('/f', content(), { overwrite: true, expectedBytes: 7 })),
      attempt('folder', () => files.createFolder(`/d/n${round}`)),
      attempt('delete', () => files.delete('/d/keep')),
      attempt('delete whole', () => files.delete('/d')),
      attempt('chmod', () => files.chmod('/d/keep', 0o777)),
      attempt('chmod file', () => files.chmod('/f', 0o777)),
      attempt('rename out', () => files.rename('/d/keep', `/moved${round}`)),
      attempt('rename in', () => files.rename('/f', `/d/in${round}`)),
      attempt('copy', async () => {
        await files.copy('/d', `/copy${round}`, noSignal)
        assert.ok(!(await readdir(join(root, `copy${round}`)).catch((): string[] => [])).includes('sub'))
      }),
    ])
  await stop()
  assert.deepEqual((await readdir(outside)).sort(), ['keep', 'sub'])
  assert.deepEqual(await readdir(join(outside, 'sub')), [])
  assert.equal(await readFile(canary, 'utf8'), 'outside')
  const now = await stat(canary)
  assert.deepEqual([now.mode, now.mtimeMs, now.uid], [before.mode, before.mtimeMs, before.uid])
  assert.deepEqual(await readdir(join(folder, 'scratch'), { recursive: true }), [], 'nothing is left half-way')
  assert.ok(metAll(), JSON.stringify([...outcomes]))
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { endOverdueFiles } from './overdue-files.ts'

/** Long past the end of a run that ends. */
const sleepSeconds = 600

/** Over at the second look, when the file has long come to its test, in ms. */
const limitMs = 1_000

test('a file that a process of its failed test holds open is ended with that process, and named', {
  skip: existsSync('/proc/self/stat') ? false : 'this system has no /proc',
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-overdue-'))
  try {
    await writeFile(join(folder, 'leaves.test.mjs'), leaves)
    const { NODE_TEST_CONTEXT: _ours, ...env } = process.env
    const runner = spawn(process.execPath, ['--test'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] })
    const told: string[] = []
    using _watch = endOverdueFiles(runner.pid ?? 0, limitMs, (file) => told.push(basename(file)))
    await once(runner, 'close')
    assert.deepEqual(told, ['leaves.test.mjs'])
    assert.notEqual(runner.exitCode, 0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** The process holds the output of the file open, as those of real tests do. */
const leaves = `
import { spawn } from 'node:child_process'
import { test } from 'node:test'
test('leaves', () => {
  spawn('sleep', ['${sleepSeconds}'], { stdio: 'inherit' })
  throw new Error('left it running')
})
`

// `npm test`: brings what the tests need, checks the sources, runs every test. Under CI=true a missing part is a failure.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, sep } from 'node:path'
import { filesOf, groups } from '../test/groups.ts'
import { buildWeb } from './build-web.js'
import { bringDebianPackages, testPackages } from './debian.ts'
import { install } from './install.js'
import { endOverdueFiles } from './overdue-files.ts'
import { bringPostgres } from './postgres.ts'
import { lint, root, runSteps, types, webTypes } from './steps.ts'

/** A test that hangs fails by name instead of stopping the run: on a crowded one none needs half of this that names no limit of its own. */
const testTimeoutMs = 240_000

/** Several times what the longest file takes: one that has not ended by then is held open by what a test has left. */
const fileTimeoutMs = 600_000

/** Files at a time: as many as the smallest machine that we promise a time for has cores. */
const concurrency = 2

const problems: string[] = []
const inCi = process.env.CI === 'true'

for (const name of bringDebianPackages()) {
  console.log(`${inCi ? '✖' : '-'} Debian package ${name} is missing; skipped without it: ${testPackages[name]}`)
  if (inCi) problems.push(`Debian package ${name}`)
}
await install(join(root, 'test', 'games'), {
  root,
  node: process.execPath,
  set: 'production',
  what: 'game clients for the tests',
})
await install(join(root, 'test', 'mcp'), {
  root,
  node: process.execPath,
  set: 'production',
  what: 'the conformance suite of agents’ tools',
})
if (!(await bringPostgres())) {
  console.log(`${inCi ? '✖' : '-'} PostgreSQL could not be had for this machine; the tests that need it are skipped`)
  if (inCi) problems.push('PostgreSQL')
}
await buildWeb(root)
problems.push(...(await runSteps([types, webTypes, lint])))

/** Two hundred processes and more load the same sources: what one has compiled is there for the next. */
const compiled = join(root, 'node_modules', '.cache', 'compiled')

const files = process.argv.slice(2)
const tests = spawn(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${testTimeoutMs}`,
    `--test-concurrency=${concurrency}`,
    ...(files.length > 0 ? files : allFiles()),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: compiled } },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tests.kill(signal))
const overdue: string[] = []
using _watch = endOverdueFiles(tests.pid ?? 0, fileTimeoutMs, (file) => overdue.push(file))
const code = await new Promise<number>((resolve) => tests.on('close', (exit) => resolve(exit ?? 1)))
for (const file of overdue)
  problems.push(`${file} had not ended after ${fileTimeoutMs / 60_000} minutes and was killed`)
if (problems.length > 0) console.error(`tests: also failed, see above: ${problems.join(', ')}`)
process.exitCode = code === 0 && problems.length > 0 ? 1 : code

/** Every test file; in place of those that share a process, the file that declares them. */
function allFiles(): string[] {
  const inGroups = new Set((Object.keys(groups) as (keyof typeof groups)[]).flatMap(filesOf))
  return globSync('{src,test,scripts}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => !inGroups.has(file.split(sep).join('/')))
    .sort()
}

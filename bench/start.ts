/**
 * How long Pharos takes to start and what it needs at rest: `pharos up` (panel, node and edge in one process, SQLite, a new data
 * folder and then the same again) beside a bare `node:http` server, from spawn to the first answered request; interleaved,
 * medians.
 *
 *   node bench/start.ts [rounds]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from '../scripts/build.js'
import { median } from './http-load.ts'

const rounds = Number(process.argv[2] ?? 5)
const bundle = await build(dirname(import.meta.dirname))
/** Memory settles in this time after the last start-up work, in milliseconds. */
const restMs = 5_000

const bare = { ms: [] as number[], mib: [] as number[] }
const first = { ms: [] as number[], mib: [] as number[] }
const again = { ms: [] as number[], mib: [] as number[] }
for (let round = 0; round < rounds; round++) {
  const port = await freePort()
  await measure(
    bare,
    ['-e', `require('node:http').createServer((_, r) => r.end('x')).listen(${port}, '127.0.0.1')`],
    port,
  )
  const dataDir = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  try {
    for (const results of [first, again]) {
      const [panel, edge] = [await freePort(), await freePort()]
      await measure(
        results,
        [
          bundle,
          ...['up', '--data-dir', dataDir, '--port', String(panel)],
          ...['--edge-http-port', String(edge), '--edge-minecraft-port', '0'],
        ],
        panel,
      )
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}
for (const [name, { ms, mib }] of Object.entries({
  'bare node:http': bare,
  'pharos up, first': first,
  'pharos up, again': again,
}))
  console.log(
    `${name.padEnd(17)} ${median(ms).toFixed(0).padStart(5)} ms to the first answer (${(median(ms) / median(bare.ms)).toFixed(1)} of bare)   ` +
      `${median(mib).toFixed(0).padStart(4)} MiB at rest (${(median(mib) / median(bare.mib)).toFixed(1)} of bare)`,
  )

async function measure(results: { ms: number[]; mib: number[] }, argv: string[], port: number): Promise<void> {
  const began = performance.now()
  const child = spawn(process.execPath, argv, { stdio: 'ignore' })
  const exited = once(child, 'exit')
  try {
    await answers(port, child)
    results.ms.push(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, restMs))
    results.mib.push(await residentMib(child))
  } finally {
    child.kill('SIGTERM')
    await exited
  }
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer()
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  throw new Error(`It ended with ${child.exitCode} before it answered`)
}

async function residentMib({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

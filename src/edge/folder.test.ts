import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { firstLine } from '../../test/children.ts'
import { silentLog } from '../lib/log.ts'
import { EdgeConfig } from './config.ts'
import { startEdge } from './edge.ts'
import { testEdge } from './testing/world.ts'

test('two edges on one folder: the second is refused and told which process has it; the first serves on and counts', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const config = EdgeConfig.parse({
    listenHost: '127.0.0.1',
    httpPort: 0,
    dataDir: edge.dataDir,
    tokensFile: edge.tokensFile,
  })
  await assert.rejects(startEdge(config, { log: silentLog }), {
    code: 'conflict',
    message: new RegExp(`${edge.dataDir} is in use by process ${process.pid}\\.`),
  })
  await edge[Symbol.asyncDispose]()
  const next = await startEdge(config, { log: silentLog })
  await next[Symbol.asyncDispose]()
})

test('the folder of an edge in another process is refused while that runs, and free once it was killed', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const { dataDir, tokensFile } = edge
  await edge[Symbol.asyncDispose]()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing', 'edge-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  closer.defer(() => {
    child.kill('SIGKILL')
  })
  const config = { listenHost: '127.0.0.1', httpPort: 0, dataDir, tokensFile }
  child.stdin.end(JSON.stringify(config))
  await firstLine(child)
  const start = () => startEdge(EdgeConfig.parse(config), { log: silentLog })
  await assert.rejects(start(), { code: 'conflict', message: new RegExp(`in use by process ${child.pid}\\.`) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const next = await start()
  await next[Symbol.asyncDispose]()
})

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLog } from '../../src/lib/log.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { PanelConfig } from '../../src/panel/config.ts'
import { startPanel } from '../../src/panel/panel.ts'
import { eventually } from '../world/panel.ts'

test('a panel says that it lives and is ready, and counts its requests by operation, not by what visitors ask for', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-health-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const metrics = new Metrics()
  await using panel = await startPanel(
    PanelConfig.parse({
      ...{ port: 0, dataDir: folder, templatesDir: join(import.meta.dirname, '../../templates') },
      database: { kind: 'sqlite', file: join(folder, 'panel.db') },
    }),
    {},
    { log: silentLog, metrics },
  )
  for (const path of ['/healthz', '/readyz']) {
    const reply = await fetch(panel.url + path)
    assert.deepEqual([reply.status, reply.headers.get('cache-control')], [200, 'no-store'])
    assert.match(await reply.text(), /^(ok|ready)\n$/)
  }
  await fetch(`${panel.url}/api/v1/servers/1a7ce997`)
  await fetch(`${panel.url}/api/v1/openapi.json`)
  for (let n = 0; n < 5; n++) await fetch(`${panel.url}/api/v1/made-up-${n}`)
  // A reply is counted when it has been sent, which the client may see first.
  const text = await eventually(() => {
    const now = metrics.text()
    return /openapi/.test(now) && /operation="server"/.test(now) ? now : undefined
  }, 'both are counted')
  assert.match(text, /^pharos_panel_requests_total\{operation="server",status="401"\} 1$/m)
  assert.match(text, /^pharos_panel_requests_total\{operation="openapi",status="200"\} 1$/m)
  assert.doesNotMatch(text, /made-up|1a7ce997/)
  assert.match(text, /^pharos_panel_request_duration_seconds_count 2$/m)
  assert.match(text, /^pharos_panel_database_query_seconds_count [1-9]/m)
  for (const line of ['pharos_panel_nodes_linked 0', 'pharos_panel_edges{state="linked"} 0', 'pharos_panel_players 0'])
    assert.ok(text.split('\n').includes(line), line)
})

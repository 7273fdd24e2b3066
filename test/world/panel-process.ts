import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { PanelConfig } from '../../src/panel/config.ts'
import { startPanel } from '../../src/panel/panel.ts'

/** A panel in a process of its own, which a test may kill: takes its configuration as a message, answers with its port. */
process.once('message', async ({ databaseUrl, valkeyUrl, ...config }: Record<string, string>) => {
  const secrets = {
    ...(databaseUrl && { databaseUrl: new Secret(databaseUrl) }),
    ...(valkeyUrl && { valkeyUrl: new Secret(valkeyUrl) }),
  }
  const { port } = await startPanel(PanelConfig.parse(config), secrets, { log: silentLog })
  process.send?.({ port })
})

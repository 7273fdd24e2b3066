import { silentLog } from '../../src/lib/log.ts'
import { PanelConfig } from '../../src/panel/config.ts'
import { startPanel } from '../../src/panel/panel.ts'

/** A panel in a process of its own, which a test may kill: takes its configuration as a message, answers with its port. */
process.once('message', async (config) => {
  const { port } = await startPanel(PanelConfig.parse(config), {}, { log: silentLog })
  process.send?.({ port })
})

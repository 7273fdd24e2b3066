import { namesAreKnown } from '../contract/edge.ts'
import type { Edge } from '../edge/index.ts'
import type { Panel } from '../panel/panel.ts'
import { SettingsError } from '../settings/resolve.ts'
import type { UpSettings } from '../settings/roles.ts'
import { holdDataFolder } from './data-folder.ts'
import { schemeOf, startEdgeRole } from './edge.ts'
import { thisMachine } from './machine.ts'
import { startNodeRole } from './node.ts'
import { sayObservation, startObservation } from './observation.ts'
import { type Located, localHost, ownerWords, startPanelRole } from './panel.ts'
import { type Session, untilInterrupted } from './session.ts'

/** The names of the first machine's node and edge; those of others are called as their machine is when they come first. */
const localName = 'local'

/** Linking within one machine takes milliseconds; past this something is wrong and is said, while trying goes on, ms. */
const linkPatienceMs = 10_000

/** How often to look whether both are linked, ms. */
const linkPollMs = 20

/** `pharos up`: panel, node and edge in one process, until it is interrupted. */
export async function runUp(settings: Located<UpSettings>, { signal, root, say }: Session): Promise<void> {
  if (settings.port !== 0 && settings.port === settings.edgeHttpPort)
    throw new SettingsError([`--port and --edge-http-port are both ${settings.port}: give them different ports.`])
  await using closer = new AsyncDisposableStack()
  // Those of single roles, too: whoever runs them apart on the same folder must not meet us in it.
  for (const role of ['panel', 'node', 'edge']) closer.use(await holdDataFolder(settings.dataDir, role))
  const observation = closer.use(await startObservation(settings))
  const { metrics } = observation
  const panel = closer.use(await startPanelRole(settings, root, metrics))
  const address = { host: localHost(settings.host), port: panel.port, pin: panel.pin }
  const machine = await thisMachine(settings.dataDir)
  const localNode = await panel.registerLocalNode(localName, machine)
  const adopts = localNode.name === localName
  const localEdge = await panel.registerLocalEdge(localNode.name, { id: machine.id, adopts })
  const behind = { panels: [address], credential: localEdge.credential }
  const edge = closer.use(await startEdgeRole(settings, behind, metrics))
  const { credential } = localNode
  const node = closer.use(await startNodeRole(settings, { panel: address, credential, root, metrics }))
  observation.ready('panel', () => panel.readiness())
  observation.ready('edge', () => (edge.ready ? null : 'not linked to a panel'))
  observation.ready('node', () => (node.linked ? null : 'not linked to its panel'))
  const linked = await bothLinked(panel, [localEdge.edgeId, localNode.nodeId], signal)
  if (signal.aborted) return

  const { edgeBase, edgeHost, edgePorts, dataDir } = settings
  say(
    [
      'Pharos is up.',
      '',
      `  Panel    ${panel.url}`,
      `  Tunnels  ${schemeOf(settings)}://<name>.<workspace>.${edgeBase}:${edge.httpPort}, and ports ${edgePorts.first}-${edgePorts.last} of ${edgeHost}`,
      `  Data     ${dataDir}`,
      ...(adopts ? [] : [`  Node     ${localNode.name}`]),
      ...minecraftWords(settings, edge),
      ...node.capabilities.warnings.map((warning) => `  Note     ${warning}`),
      ...(linked ? [] : ['', 'The node or the edge is not linked to the panel yet; --log-level info says why.']),
      await ownerWords(panel, root),
    ]
      .join('\n')
      .trimEnd(),
  )
  sayObservation(observation, say)
  say('\nCtrl-C stops Pharos; game servers keep running.')
  await untilInterrupted(signal)
  say('\nStopping. Game servers keep running; the next start finds them again.')
}

/** Where Minecraft servers are found, or why not by name. */
function minecraftWords({ edgeBase, edgeMinecraftPort }: Located<UpSettings>, { minecraftPort }: Edge): string[] {
  if (minecraftPort === null)
    return [
      `  Note     Port ${edgeMinecraftPort} is used by something else, so Minecraft servers have no host names, only ports. --edge-minecraft-port takes another one.`,
    ]
  if (!namesAreKnown({ base: edgeBase })) return []
  return [
    `  Games    <name>.<workspace>.${edgeBase}${minecraftPort === 25_565 ? '' : `:${minecraftPort}`} for Minecraft`,
  ]
}

/** Resolves once both are linked to the panel, or with false when that takes too long. */
async function bothLinked(panel: Panel, ids: readonly string[], signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + linkPatienceMs
  while (!ids.every((id) => panel.isLinked(id))) {
    if (signal.aborted || performance.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, linkPollMs))
  }
  return true
}

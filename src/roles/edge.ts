import { join } from 'node:path'
import { type Edge, EdgeConfig, type EdgeConfigInput, startEdge } from '../edge/index.ts'
import { createLog } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { SettingsError } from '../settings/resolve.ts'
import type { EdgeSettings } from '../settings/roles.ts'
import { holdDataFolder } from './data-folder.ts'
import { listening } from './listening.ts'
import { type ObservationSettings, sayObservation, startObservation } from './observation.ts'
import { type Session, untilInterrupted } from './session.ts'

/** `pharos edge`: an edge for the panels that the settings name, until it is interrupted. */
export async function runEdge(settings: EdgeSettings & { dataDir: string }, { signal, say }: Session): Promise<void> {
  const { edgeCredential: credential, edgePanels: panels, edgeTokensFile: tokensFile } = settings
  if (panels.length > 0 === (tokensFile !== undefined))
    throw new SettingsError([
      'An edge works either for panels (edge-panels and edge-credential, as "pharos edges create" prints them) or by itself with a tokens file (--edge-tokens-file).',
    ])
  if (panels.length > 0 && !credential)
    throw new SettingsError([
      'PHAROS_EDGE_CREDENTIAL (or edge-credential in pharos.yaml) is missing: "pharos edges create" prints it.',
    ])
  await using closer = new AsyncDisposableStack()
  closer.use(await holdDataFolder(settings.dataDir, 'edge'))
  const observation = closer.use(await startObservation(settings))
  const edge = closer.use(
    await startEdgeRole(
      settings,
      tokensFile === undefined ? { panels, credential } : { tokensFile },
      observation.metrics,
    ),
  )
  observation.ready('edge', () => (edge.ready ? null : 'not linked to a panel'))
  say(
    `Edge up: host names ending in .${settings.edgeBase} on port ${edge.httpPort}, raw ports ${settings.edgePorts.first}-${settings.edgePorts.last}.`,
  )
  sayObservation(observation, say)
  await untilInterrupted(signal)
  // With a panel there may be others to go to.
  if (panels.length > 0) await edge.drain(drainMs, finishMs)
}

/** How long an edge that is told to end serves on, ms: time for agents and visitors' clients to hear of it and to turn elsewhere. */
const drainMs = 10_000

/** How long connections that are open then may take to finish, ms: with `drainMs` less than the 90 s after which supervisors kill. */
const finishMs = 60_000

/** Starts the edge with its own part of the data folder; ports that cannot be had are named with their flags. */
export function startEdgeRole(
  settings: Omit<
    EdgeSettings,
    keyof ObservationSettings | 'dataDir' | 'edgePanels' | 'edgeCredential' | 'edgeTokensFile'
  > & { dataDir: string },
  behind: Pick<EdgeConfigInput, 'panels' | 'credential' | 'tokensFile'>,
  metrics?: Metrics,
): Promise<Edge> {
  const {
    edgeListenHost,
    edgeHttpPort,
    edgeLinkUdpPort,
    edgeMinecraftPort,
    edgeHost,
    edgeBase,
    edgeCertificate,
    edgeCertificateKey,
    edgePorts,
    edgeRegion,
    edgeSignInNetworks,
    dataDir,
    logLevel,
  } = settings
  if (edgeCertificateKey !== undefined && edgeCertificate === undefined)
    throw new SettingsError(['--edge-certificate-key says whose key it is only beside --edge-certificate: give both.'])
  const config = EdgeConfig.parse({
    listenHost: edgeListenHost,
    httpPort: edgeHttpPort,
    linkUdpPort: edgeLinkUdpPort,
    minecraftPort: edgeMinecraftPort,
    host: edgeHost,
    base: edgeBase,
    scheme: schemeOf(settings),
    certificate: edgeCertificate,
    certificateKey: edgeCertificateKey,
    ports: edgePorts,
    region: edgeRegion,
    signInNetworks: edgeSignInNetworks,
    dataDir: join(dataDir, 'edge'),
    ...behind,
  })
  return listening(
    { host: edgeListenHost, port: edgeHttpPort, hostFlag: '--edge-listen-host', portFlag: '--edge-http-port' },
    () => startEdge(config, { log: createLog({ level: logLevel, name: 'edge' }), ...(metrics && { metrics }) }),
  )
}

/** How visitors reach the edge. */
export const schemeOf = ({
  edgeScheme,
  edgeCertificate,
}: Pick<EdgeSettings, 'edgeScheme' | 'edgeCertificate'>): 'http' | 'https' =>
  edgeCertificate === undefined ? edgeScheme : 'https'

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError, conflict } from '../contract/errors.ts'
import { decodeJoinToken, PanelEndpoint } from '../contract/join-token.ts'
import { JoinWelcome } from '../contract/node.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import { createLog } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { Secret } from '../lib/secret.ts'
import { dialLink, LinkError, tlsDialler } from '../link/index.ts'
import { type Node, startNode } from '../node/index.ts'
import type { NodeSettings } from '../settings/roles.ts'
import { holdDataFolder } from './data-folder.ts'
import { sayObservation, startObservation } from './observation.ts'
import type { Located } from './panel.ts'
import { type Session, untilInterrupted } from './session.ts'

/** `pharos node`: runs this machine's servers for the panel that it has joined, until it is interrupted. */
export async function runNode(settings: Located<NodeSettings>, session: Session): Promise<void> {
  await using _folder = await holdDataFolder(settings.dataDir, 'node')
  const membership = await readMembership(settings.dataDir)
  if (!membership)
    throw conflict(
      `This machine has joined no panel (data folder ${settings.dataDir}). "pharos nodes create <name>" at the panel prints the command that joins it.`,
    )
  await run(settings, membership, session)
}

/** `pharos node join`: makes this machine a node of the panel that made the token, and runs it. */
export async function joinNode(settings: Located<NodeSettings>, token: string, session: Session): Promise<void> {
  const { panel, secret } = decodeJoinToken(token)
  await using _folder = await holdDataFolder(settings.dataDir, 'node')
  const known = await readMembership(settings.dataDir)
  if (known)
    throw conflict(
      `This machine is already a node of the panel at ${known.panel.host}:${known.panel.port}. Run "pharos node", or join with another --data-dir.`,
    )
  const { nodeId, credential } = await exchange(panel, secret, session.signal)
  const membership: Membership = { nodeId, credential, panel }
  await mkdir(join(settings.dataDir, 'node'), { recursive: true, mode: 0o700 })
  await writeFileAtomic(membershipFile(settings.dataDir), `${JSON.stringify(membership, null, 2)}\n`)
  session.say(`Joined the panel at ${panel.host}:${panel.port}. From now on "pharos node" is enough.`)
  await run(settings, membership, session)
}

/** Starts the node with its own part of the data folder. */
export async function startNodeRole(
  {
    dataDir,
    logLevel,
    edgeTransport,
    sftpPort,
    sftpHost,
    sftpAddress,
    dockerSocket,
    containerNetwork,
  }: Pick<
    Located<NodeSettings>,
    'dataDir' | 'logLevel' | 'sftpPort' | 'sftpHost' | 'sftpAddress' | 'dockerSocket' | 'containerNetwork'
  > &
    Partial<NodeSettings>,
  {
    panel,
    credential,
    root,
    metrics,
  }: { panel: PanelEndpoint; credential: Secret; root: string; metrics?: Metrics | undefined },
): Promise<Node> {
  const { version } = Program.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
  const sftp = sftpPort === 'none' ? null : { port: sftpPort, host: sftpHost, address: sftpAddress ?? null }
  return startNode(
    {
      ...{
        dataDir: join(dataDir, 'node'),
        panels: [panel],
        credential,
        version,
        edgeTransport,
        sftp,
        containerNetwork,
      },
      docker: dockerSocket === 'none' ? 'off' : dockerSocket,
    },
    { log: createLog({ level: logLevel, name: 'node' }), ...(metrics && { metrics }) },
  )
}

async function run(
  settings: Located<NodeSettings>,
  { panel, credential }: Membership,
  session: Session,
): Promise<void> {
  const { root } = session
  await using observation = await startObservation(settings)
  const { metrics } = observation
  await using node = await startNodeRole(settings, { panel, credential: new Secret(credential), root, metrics })
  observation.ready('node', () => (node.linked ? null : 'not linked to its panel'))
  session.say(`Node up, for the panel at ${panel.host}:${panel.port}. Ctrl-C stops the node; its servers keep running.`)
  sayObservation(observation, session.say)
  for (const warning of node.capabilities.warnings) session.say(`  Note: ${warning}`)
  await untilInterrupted(session.signal)
}

const Program = z.looseObject({ version: z.string() })

/** What a machine keeps of having joined: readable by its user alone. */
const Membership = z.strictObject({ nodeId: z.string(), credential: z.string(), panel: PanelEndpoint })
type Membership = z.output<typeof Membership>

const membershipFile = (dataDir: string): string => join(dataDir, 'node', 'membership.json')

async function readMembership(dataDir: string): Promise<Membership | null> {
  const path = membershipFile(dataDir)
  try {
    return Membership.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw conflict(`${path} is damaged. Move it away and join again with a new token.`)
  }
}

/** Long enough for a panel on the other side of the world, short enough to be waited for, ms. */
const joinTimeoutMs = 20_000

/** Shows the token's secret, once, and gets the lasting credential. */
async function exchange(panel: PanelEndpoint, secret: string, interrupted: AbortSignal): Promise<JoinWelcome> {
  try {
    const link = await dialLink({
      dialler: tlsDialler(panel),
      hello: { role: 'join', version: 1, secret, software: 'pharos' },
      events: {
        onStream: (stream) => void stream.destroy(new LinkError('refused', 'a machine that joins serves nothing')),
      },
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(joinTimeoutMs)]),
    })
    const welcome = JoinWelcome.parse(link.greeting)
    link.close('joined')
    return welcome
  } catch (cause) {
    if (cause instanceof LinkError && cause.code === 'unauthorized')
      throw new AppError('unauthorized', cause.message, { cause })
    const why = cause instanceof Error ? cause.message : String(cause)
    throw conflict(
      `Cannot join the panel at ${panel.host}:${panel.port}: ${why}. Is it running, and reachable from here?`,
    )
  }
}

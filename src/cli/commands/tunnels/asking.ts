import { z } from 'zod'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { portsPerTunnelMax } from '../../../contract/tunnel.ts'
import { UsageError } from '../../command.ts'
import { nameSources } from '../../names/name-source.ts'
import { type Asked, contradictionIn, HealthPath } from './requests.ts'

/** How a tunnel is described on a command line: of `open` and `link`. */
export const tunnelFlags = [
  ['--as <name>', 'the tunnel’s name: web becomes web.<workspace>.<edge>'],
  ['--from <source>', 'take the name from the directory, the repository, its branch or its worktree'],
  ['--tcp', 'a raw TCP port on the edge instead of a host name'],
  ['--udp', 'a raw UDP port on the edge; with --tcp, both on the same port'],
  ['--tls', 'TLS by its host name, passed through: the service has the certificate'],
  ['--minecraft', 'a Minecraft server (Java Edition), by its host name on the game’s usual port'],
  ['--http2', 'the service speaks HTTP/2 without TLS, and is asked so; gRPC is anyway'],
  ['--ports <n>', 'with --tcp or --udp: so many ports in a row'],
  ['--edge-port <port>', 'with --tcp or --udp: the port on the edge that is wanted'],
  ['--proxy-protocol <version>', 'tell the service who its visitor is: v1 or v2 (with --udp always v2)'],
  ['--pool', 'share the name with other agents that open it with --pool; visitors are spread over them'],
  [
    '--health-path <path>',
    'with --pool: the service is well while this path answers; otherwise while it takes connections',
  ],
  ['--host <host>', 'where the local port is, if not on this machine'],
] as const

export const tunnelOptions = {
  as: TunnelName.optional(),
  from: z.enum(nameSources).optional(),
  tcp: z.boolean().default(false),
  udp: z.boolean().default(false),
  tls: z.boolean().default(false),
  minecraft: z.boolean().default(false),
  http2: z.boolean().default(false),
  ports: z.coerce.number().pipe(z.int().min(1).max(portsPerTunnelMax)).optional(),
  edgePort: z.coerce.number().pipe(Port).optional(),
  proxyProtocol: z.enum(['v1', 'v2']).optional(),
  pool: z.boolean().default(false),
  healthPath: HealthPath.optional(),
  host: z.string().min(1).max(253).default('localhost'),
}

const Options = z.object(tunnelOptions)

/** The tunnel of this name and local port that the flags ask for. Throws a `UsageError` where they do not go together. */
export function askedFor(
  { as: _as, from: _from, tcp, udp, tls, minecraft, ...asked }: z.output<typeof Options>,
  name: string,
  port: number,
): Asked {
  const flags = { tcp, udp, tls, minecraft }
  const wanted = (['tcp', 'udp', 'tls', 'minecraft'] as const).filter((kind) => flags[kind])
  const both = wanted.length === 2 && tcp && udp
  if (wanted.length > 1 && !both)
    throw new UsageError(`A tunnel has one kind: choose --${wanted.join(' or --')}. Only --tcp and --udp go together.`)
  const tunnel: Asked = { ...asked, kind: both ? 'tcp+udp' : (wanted[0] ?? 'http'), name, port }
  const contradiction = contradictionIn(tunnel, words)
  if (contradiction !== null) throw new UsageError(contradiction)
  return tunnel
}

const words = {
  ports: '--ports',
  edgePort: '--edge-port',
  raw: '--tcp and --udp',
  http2: '--http2',
  pool: '--pool',
  healthPath: '--health-path',
}

import { z } from 'zod'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { portsPerTunnelMax } from '../../../contract/tunnel.ts'
import { command, UsageError } from '../../command.ts'
import { forwardUntilStopped, Transport, transportHelp } from './forwarding.ts'
import { contradictionIn, HealthPath, wantedOf } from './requests.ts'

const kinds = ['tcp', 'udp', 'tls', 'minecraft'] as const

export const openTunnel = command({
  path: 'open',
  summary: 'Put a local port on the internet, until Ctrl-C',
  args: [['<port>', 'the local port; with --ports, the first of them']],
  flags: [
    ['--as <name>', 'the tunnel’s name: web becomes web.<workspace>.<edge>'],
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
    ['--transport <way>', transportHelp],
  ],
  examples: [
    'pharos open 3000 --as web',
    'pharos open 25565 --minecraft --as survival',
    'pharos open 30000 --udp --ports 3 --as game',
    'pharos open 7777 --tcp --udp --edge-port 30015 --as arena',
    'pharos open 8443 --tls --as mail --proxy-protocol v2',
    'pharos open 50051 --http2 --as api',
    'pharos open 8080 --host 192.168.1.7',
    'pharos open 3000 --transport websocket',
  ],
  handlesInterrupt: true,
  options: z.object({
    port: z.coerce.number().pipe(Port),
    as: TunnelName.optional(),
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
    host: z.string().min(1).max(253).default('127.0.0.1'),
    transport: Transport,
  }),
  async run({ as, transport, tcp, udp, tls, minecraft, ...asked }, tools) {
    const flags = { tcp, udp, tls, minecraft }
    const wanted = kinds.filter((kind) => flags[kind])
    const both = wanted.length === 2 && tcp && udp
    if (wanted.length > 1 && !both)
      throw new UsageError(
        `A tunnel has one kind: choose --${wanted.join(' or --')}. Only --tcp and --udp go together.`,
      )
    const kind = both ? 'tcp+udp' : (wanted[0] ?? 'http')
    const tunnel = { ...asked, kind, name: as ?? `port-${asked.port}` } as const
    const contradiction = contradictionIn(tunnel, words)
    if (contradiction !== null) throw new UsageError(contradiction)
    await forwardUntilStopped([wantedOf(tunnel)], tools, transport)
  },
})

const words = {
  ports: '--ports',
  edgePort: '--edge-port',
  raw: '--tcp and --udp',
  http2: '--http2',
  pool: '--pool',
  healthPath: '--health-path',
}

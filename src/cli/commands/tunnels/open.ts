import { z } from 'zod'
import type { HealthCheck } from '../../../agent/index.ts'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { isRawKind, portsPerTunnelMax } from '../../../contract/tunnel.ts'
import { command, UsageError } from '../../command.ts'
import { forwardUntilStopped } from './forwarding.ts'
import { requestOf } from './requests.ts'

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
  ],
  examples: [
    'pharos open 3000 --as web',
    'pharos open 25565 --minecraft --as survival',
    'pharos open 30000 --udp --ports 3 --as game',
    'pharos open 7777 --tcp --udp --edge-port 30015 --as arena',
    'pharos open 8443 --tls --as mail --proxy-protocol v2',
    'pharos open 50051 --http2 --as api',
    'pharos open 8080 --host 192.168.1.7',
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
    healthPath: z
      .string()
      .regex(/^\/[!-~]{0,1000}$/, 'must be a path that begins with /')
      .optional(),
    host: z.string().min(1).max(253).default('127.0.0.1'),
  }),
  async run({ port, as, ports, edgePort, proxyProtocol, pool, healthPath, http2, host, ...flags }, tools) {
    const wanted = kinds.filter((kind) => flags[kind])
    const both = wanted.length === 2 && flags.tcp && flags.udp
    if (wanted.length > 1 && !both)
      throw new UsageError(
        `A tunnel has one kind: choose --${wanted.join(' or --')}. Only --tcp and --udp go together.`,
      )
    const kind = both ? 'tcp+udp' : (wanted[0] ?? 'http')
    if (!isRawKind(kind) && (ports !== undefined || edgePort !== undefined))
      throw new UsageError('--ports and --edge-port are for --tcp and --udp: other tunnels have host names.')
    if (port + (ports ?? 1) - 1 > 65_535) throw new UsageError(`There are no ${ports} ports from ${port} on.`)
    if (healthPath !== undefined && !pool)
      throw new UsageError('--health-path is for --pool: nobody else could take over.')
    if (http2 && kind !== 'http') throw new UsageError(`--http2 is for HTTP by host name, not for --${kind}.`)
    if (http2 && healthPath !== undefined)
      throw new UsageError(
        '--health-path is asked over HTTP/1, which a service of --http2 may not speak: leave it out.',
      )
    const name = as ?? `port-${port}`
    const target = { host, port, ...(proxyProtocol && { proxyProtocol }) }
    const request = { ...requestOf({ kind, name, edgePort, ports, http2 }), ...(pool && { pool }) }
    const health = pool && kind !== 'udp' ? checkOf(healthPath) : undefined
    await forwardUntilStopped([{ id: name, request, target, ...(health && { health }) }], tools)
  },
})

const checkOf = (path: string | undefined): HealthCheck =>
  path === undefined ? { kind: 'tcp' } : { kind: 'http', path }

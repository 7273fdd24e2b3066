import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { portsPerTunnelMax, rawKinds } from '../../../contract/tunnel.ts'
import { command, UsageError } from '../../command.ts'
import { forwardUntilStopped, Transport } from './forwarding.ts'
import { contradictionIn, HealthPath, wantedOf } from './requests.ts'

const words = {
  ports: 'ports',
  edgePort: 'edgePort',
  raw: 'tcp and udp',
  http2: 'http2',
  pool: 'pool: true',
  healthPath: 'healthPath',
}

/** The file of `pharos agent`: what `pharos open` takes, for each tunnel. */
const AgentFile = z.strictObject({
  transport: Transport,
  tunnels: z
    .array(
      z
        .strictObject({
          name: TunnelName,
          port: Port,
          host: z.string().min(1).max(253).default('127.0.0.1'),
          kind: z.enum(['http', 'tls', 'minecraft', ...rawKinds]).default('http'),
          /** With raw kinds: the port on the edge that is wanted, and how many in a row. */
          edgePort: Port.optional(),
          ports: z.int().min(1).max(portsPerTunnelMax).optional(),
          proxyProtocol: z.enum(['v1', 'v2']).optional(),
          http2: z.boolean().optional(),
          pool: z.boolean().optional(),
          healthPath: HealthPath.optional(),
        })
        .superRefine((tunnel, { addIssue }) => {
          const message = contradictionIn(tunnel, words)
          if (message !== null) addIssue({ code: 'custom', message })
        }),
    )
    .min(1)
    .max(100),
})

export const runAgent = command({
  path: 'agent',
  summary: 'Keep several local ports on the internet, as a file says',
  args: [
    [
      '<file>',
      'YAML: a list "tunnels" with name, port, and optionally host, kind (http, tls, minecraft, tcp, udp or tcp+udp), edgePort, ports, proxyProtocol (v1 or v2), http2, pool and healthPath, as "pharos open --help" tells of them; beside the list optionally transport (tcp or websocket)',
    ],
  ],
  examples: ['pharos agent tunnels.yaml'],
  handlesInterrupt: true,
  options: z.object({ file: z.string().min(1) }),
  async run({ file }, tools) {
    const { tunnels, transport } = await readAgentFile(tools.path(file))
    await forwardUntilStopped(tunnels.map(wantedOf), tools, transport)
  },
})

async function readAgentFile(path: string): Promise<z.output<typeof AgentFile>> {
  let content: unknown
  try {
    content = parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message.split('\n')[0]}`)
  }
  const parsed = AgentFile.safeParse(content)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path: at, message }) => `${at.join('.') || 'the file'}: ${message}`)
    throw new UsageError(`${path} is not right:\n${problems.join('\n')}`)
  }
  const names = parsed.data.tunnels.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`${path} names the tunnel "${twice}" twice.`)
  return parsed.data
}

import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { isRawKind, portsPerTunnelMax, rawKinds } from '../../../contract/tunnel.ts'
import { command, UsageError } from '../../command.ts'
import { forwardUntilStopped } from './forwarding.ts'
import { requestOf } from './requests.ts'

/** The file of `pharos agent`. */
const AgentFile = z.strictObject({
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
        })
        .refine(
          ({ kind, edgePort, ports }) => isRawKind(kind) || (edgePort ?? ports) === undefined,
          'edgePort and ports are for tcp and udp: other tunnels have host names',
        ),
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
      'YAML: a list "tunnels" with name, port, and optionally host, kind (http, tls, minecraft, tcp, udp or tcp+udp), edgePort, ports and proxyProtocol (v1 or v2)',
    ],
  ],
  examples: ['pharos agent tunnels.yaml'],
  handlesInterrupt: true,
  options: z.object({ file: z.string().min(1) }),
  async run({ file }, tools) {
    const { tunnels } = await readAgentFile(tools.path(file))
    await forwardUntilStopped(
      tunnels.map(({ host, port, proxyProtocol, ...asked }) => ({
        id: asked.name,
        request: requestOf(asked),
        target: { host, port, ...(proxyProtocol && { proxyProtocol }) },
      })),
      tools,
    )
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

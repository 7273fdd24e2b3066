import { z } from 'zod'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { command } from '../../command.ts'
import { forwardUntilStopped } from './forwarding.ts'

export const openTunnel = command({
  path: 'open',
  summary: 'Put a local port on the internet, until Ctrl-C',
  args: [['<port>', 'the local port']],
  flags: [
    ['--as <name>', 'the tunnel’s name: web becomes web.<workspace>.<edge>'],
    ['--tcp', 'a raw port on the edge instead of a host name'],
    ['--host <host>', 'where the local port is, if not on this machine'],
  ],
  examples: [
    'pharos open 3000 --as web',
    'pharos open 25565 --tcp --as minecraft',
    'pharos open 8080 --host 192.168.1.7',
  ],
  handlesInterrupt: true,
  options: z.object({
    port: z.coerce.number().pipe(Port),
    as: TunnelName.optional(),
    tcp: z.boolean().default(false),
    host: z.string().min(1).max(253).default('127.0.0.1'),
  }),
  async run({ port, as, tcp, host }, tools) {
    const name = as ?? `port-${port}`
    await forwardUntilStopped(
      [{ id: name, request: { kind: tcp ? 'tcp' : 'http', name }, target: { host, port } }],
      tools,
    )
  },
})

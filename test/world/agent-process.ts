// An agent in a process of its own, to be stopped. Edge, token, request and target come as JSON on stdin; the tunnel's address goes to stdout.
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { startAgent } from '../../src/agent/index.ts'
import { EdgeEndpoint, TunnelRequest } from '../../src/contract/tunnel.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'

const { edge, token, request, target } = z
  .strictObject({
    edge: EdgeEndpoint,
    token: z.string(),
    request: TunnelRequest,
    target: z.strictObject({ host: z.string(), port: z.int() }),
  })
  .parse(JSON.parse(await text(process.stdin)))
startAgent({
  edges: [edge],
  credential: () => new Secret(token),
  tunnels: [{ id: 'tunnel', request, target }],
  log: silentLog,
  onEvent: (event) => {
    if (event.type === 'opened') process.stdout.write(`${event.url}\n`)
  },
})

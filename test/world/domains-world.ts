import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Agent, startAgent } from '../../src/agent/index.ts'
import { type Edge, EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { tempFolder } from '../../src/edge/testing/world.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import type { PanelConfigInput, PanelSecrets } from '../../src/panel/config.ts'
import { reservePort, reservePorts } from '../ports.ts'
import { eventually, startAcme } from './panel.ts'
import { TestDns } from './test-dns.ts'

/** What the edge's host names end in. */
export const base = 'tunnels.example.com'

/** A panel, an edge, a name server, and an agent whose service tells its visitors the path that they asked for. */
export async function startDomainsWorld(
  closer: AsyncDisposableStack,
  configOf: (ports: { edgePort: number; dns: TestDns }) => Promise<Partial<PanelConfigInput>>,
  { secrets = {}, clock }: { secrets?: PanelSecrets; clock?: Clock } = {},
) {
  const folder = await tempFolder(closer)
  const dns = closer.use(await TestDns.start())
  const [edgePort, port] = [await reservePort(), await reservePort()]
  const config = { port, dnsServers: [dns.address], ...(await configOf({ edgePort, dns })) }
  const world = closer.use(
    await startAcme(
      { kind: 'sqlite', file: join(folder, 'panel.db') },
      { folder, config, secrets, ...(clock && { clock }) },
    ),
  )
  await world.acme.putWorkspacePlan({
    params: { slug: 'acme' },
    body: { plan: 'enterprise', rateLimit: 1_000_000 },
  })
  const { credential } = await world.panel.registerLocalEdge('edge')
  const edge = closer.use(
    await startEdge(
      EdgeConfig.parse({
        listenHost: '127.0.0.1',
        httpPort: edgePort,
        host: '127.0.0.1',
        base,
        dataDir: join(folder, 'edge'),
        panels: [{ host: '127.0.0.1', port, pin: world.panel.pin }],
        credential,
        ports: await reservePorts(4),
      }),
      { log: silentLog },
    ),
  )
  await eventually(async () => (await world.acme.edges()).edges.some(({ online }) => online), 'the edge is linked')
  const servicePort = await tellingService(closer)
  const agent = agentOf(edge, world.key, servicePort)
  closer.use(agent)
  await untilOpen(world)
  return { ...world, dns, edge, edgePort, agent, servicePort, config, folder }
}

export function agentOf(edge: Edge, key: string, servicePort: number): Agent {
  return startAgent({
    edges: [{ host: '127.0.0.1', port: edge.httpPort, pin: edge.pin }],
    credential: () => new Secret(key),
    tunnels: names.map((name) => ({
      id: name,
      request: { kind: 'http' as const, name },
      target: { host: '127.0.0.1', port: servicePort },
    })),
    log: silentLog,
  })
}

async function untilOpen({ acme }: Pick<Awaited<ReturnType<typeof startAcme>>, 'acme'>): Promise<void> {
  await eventually(async () => {
    const { tunnels } = await acme.tunnels()
    return names.every((name) => tunnels.some((tunnel) => tunnel.name === name && tunnel.open))
  }, 'the tunnels are open')
}

const names = ['web', 'other']

async function tellingService(closer: AsyncDisposableStack): Promise<number> {
  const service = createServer((request, response) =>
    response.end(`the service at ${request.headers.host}${request.url}`),
  )
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closer.defer(
    () =>
      new Promise<void>((resolve) => {
        service.close(() => resolve())
        service.closeAllConnections()
      }),
  )
  return (service.address() as AddressInfo).port
}

export type DomainsWorld = Awaited<ReturnType<typeof startDomainsWorld>>

/** Sets what the panel wants to see in the DNS. */
export async function setRecords(
  { acme, dns }: Pick<DomainsWorld, 'acme' | 'dns'>,
  domain: string,
  { address = true }: { address?: boolean } = {},
): Promise<void> {
  const { name, records } = await acme.domain({ params: { domain } })
  for (const { purpose, type, name: at, value } of records) {
    if (purpose === 'ownership') dns.set('TXT', at, value)
    if (purpose === 'certificate') dns.set('CNAME', at, value)
    if (purpose === 'address' && type === 'A' && address)
      dns.set('A', name.startsWith('*.') ? name.replace('*', 'pharos-check') : name, value)
  }
}

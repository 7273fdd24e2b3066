import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Finding, limited, missing, ok } from './finding.ts'
import { runningProcesses } from './folder.ts'
import type { Machine, SocketOwner } from './machine.ts'
import { type DoctorRequest, isTo } from './request.ts'

type Protocol = 'tcp' | 'udp'

interface Wanted {
  what: string
  protocol: Protocol
  host: string
  port: number
  /** The setting that chooses another one. */
  setting: string
  /** What is lost without it; null where nothing starts. */
  without: string | null
}

/** Whether each port is free, or whose it is; a Pharos that runs on this data folder has its own with good reason. */
export async function examinePorts(request: DoctorRequest): Promise<Finding[]> {
  const { machine, dataDir, settings } = request
  const running = await runningProcesses(machine, dataDir)
  const held = { sockets: await listeners(machine), owners: await machine.socketOwners(), running }
  const findings: Finding[] = []
  for (const wanted of wantedPorts(request)) if (wanted.port !== 0) findings.push(await portFinding(wanted, held))
  if (isTo(request, 'edge')) findings.push(rangeFinding('ports of tunnels', 'edge-ports', settings.edgePorts, held))
  if (isTo(request, 'node')) findings.push(rangeFinding('ports of servers', 'node-ports', settings.nodePorts, held))
  return findings
}

function wantedPorts(request: DoctorRequest): Wanted[] {
  const { settings } = request
  const { edgeListenHost, edgeHttpPort, edgeLinkUdpPort, edgeMinecraftPort, sftpPort, sftpHost, metricsAddress } =
    settings
  const wanted: Wanted[] = []
  if (isTo(request, 'panel'))
    wanted.push({
      what: 'the panel’s port',
      protocol: 'tcp',
      host: settings.host,
      port: settings.port,
      setting: 'port',
      without: null,
    })
  if (isTo(request, 'edge')) {
    wanted.push({
      what: 'the edge’s port',
      protocol: 'tcp',
      host: edgeListenHost,
      port: edgeHttpPort,
      setting: 'edge-http-port',
      without: null,
    })
    if (edgeLinkUdpPort !== 'none')
      wanted.push({
        ...{
          what: 'the edge’s port for datagrams',
          protocol: 'udp',
          host: edgeListenHost,
          setting: 'edge-link-udp-port',
        },
        port: edgeLinkUdpPort === 'same' ? edgeHttpPort : edgeLinkUdpPort,
        without: 'UDP between edge and agents goes over TCP, with more delay where packets are lost',
      })
    wanted.push({
      ...{ what: 'the port of Minecraft tunnels', protocol: 'tcp', host: edgeListenHost, port: edgeMinecraftPort },
      ...{ setting: 'edge-minecraft-port', without: 'Minecraft servers have no host names, only ports' },
    })
  }
  if (isTo(request, 'node') && sftpPort !== 'none')
    wanted.push({
      ...{ what: 'the port of SFTP', protocol: 'tcp', host: sftpHost, port: sftpPort, setting: 'sftp-port' },
      without: 'files of servers are not reached by SFTP',
    })
  if (metricsAddress)
    wanted.push({
      what: 'the port of metrics',
      protocol: 'tcp',
      ...metricsAddress,
      setting: 'metrics-address',
      without: null,
    })
  return wanted
}

/** What listens on this machine, whose it is, and which processes are the Pharos of this data folder. */
interface Held {
  sockets: readonly Listener[]
  owners: ReadonlyMap<string, SocketOwner>
  running: readonly number[]
}

async function portFinding(wanted: Wanted, held: Held): Promise<Finding> {
  const { what, protocol, host, port, setting, without } = wanted
  const place = `${what} (${protocol} ${port} on ${host})`
  const refused = await tryListening(protocol, host, port)
  if (refused === null) return ok('ports', `${place} is free`)
  const next = `stop what uses it, or choose another one with --${setting}`
  const cost = without ?? 'that part does not start'
  const lack = without === null ? missing : limited
  if (refused === 'EACCES')
    return lack(
      'ports',
      `${place} may not be used by this user`,
      cost,
      `run as root, or choose one above 1023 with --${setting}`,
    )
  if (refused === 'EADDRNOTAVAIL' || refused === 'ENOTFOUND')
    return lack(
      'ports',
      `${place}: this machine has no such address`,
      cost,
      'name one of its addresses, or 0.0.0.0 for all of them',
    )
  if (refused !== 'EADDRINUSE') return lack('ports', `${place} cannot be listened on (${refused})`, cost, next)
  const owners = ownersOf(held, (one) => one.protocol === protocol && one.port === port)
  const ours = owners.find(({ pid }) => held.running.includes(pid))
  if (ours) return ok('ports', `${place} is held by the Pharos that runs here (process ${ours.pid})`)
  return lack('ports', `${place} is held by ${wordsOf(owners)}`, cost, next)
}

function rangeFinding(
  what: string,
  setting: string,
  { first, last }: { first: number; last: number },
  held: Held,
): Finding {
  const ports = new Set(held.sockets.map(({ port }) => port).filter((port) => port >= first && port <= last))
  const foreign = [...ports]
    .map((port) => ({ port, owners: ownersOf(held, (one) => one.port === port) }))
    .filter(({ owners }) => !owners.some(({ pid }) => held.running.includes(pid)))
  const place = `${what} (${first}-${last})`
  if (foreign.length === 0) return ok('ports', `${place} are free`)
  const shown = foreign.slice(0, foreignShownMax).map(({ port, owners }) => `${port} by ${wordsOf(owners)}`)
  return limited(
    'ports',
    `of ${place} ${foreign.length} ${foreign.length === 1 ? 'is' : 'are'} in use: ${shown.join(', ')}${foreign.length > shown.length ? ', …' : ''}`,
    'nobody else gets those; they may well be servers of this node',
    `where they are not, choose others with --${setting}`,
  )
}

/** How many ports of others in a range are named. */
const foreignShownMax = 5

function ownersOf({ sockets, owners }: Held, which: (socket: Listener) => boolean): SocketOwner[] {
  const found = new Map<number, SocketOwner>()
  for (const { inode } of sockets.filter(which)) {
    const owner = owners.get(inode)
    if (owner) found.set(owner.pid, owner)
  }
  return [...found.values()]
}

const wordsOf = (owners: readonly SocketOwner[]): string =>
  owners.length === 0
    ? 'a program that this user cannot see'
    : owners.map(({ name, pid }) => `${name} (process ${pid})`).join(' and ')

export interface Listener {
  protocol: Protocol
  port: number
  inode: string
}

async function listeners(machine: Machine): Promise<Listener[]> {
  const tables = (['tcp', 'udp'] as const).flatMap((protocol) =>
    ['', '6'].map(async (family) =>
      parseListeners(protocol, (await machine.text(`/proc/net/${protocol}${family}`)) ?? ''),
    ),
  )
  return (await Promise.all(tables)).flat()
}

/** What listens, by a table of /proc/net: for TCP in state `0A`, for UDP everything that is not connected. */
export function parseListeners(protocol: Protocol, table: string): Listener[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
    const port = Number.parseInt(local.split(':')[1] ?? '', 16)
    if (!Number.isInteger(port) || !inode || state !== (protocol === 'tcp' ? '0A' : '07')) return []
    return [{ protocol, port, inode }]
  })
}

/** Takes the port for a moment; the code of the refusal, or null. */
async function tryListening(protocol: Protocol, host: string, port: number): Promise<string | null> {
  try {
    if (protocol === 'tcp') {
      const server = createServer((socket) => void socket.destroy())
      server.listen({ host, port, exclusive: true })
      await once(server, 'listening')
      server.close()
      await once(server, 'close')
    } else {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
      try {
        socket.bind({ address: host, port, exclusive: true })
        await once(socket, 'listening')
      } finally {
        socket.close()
      }
    }
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

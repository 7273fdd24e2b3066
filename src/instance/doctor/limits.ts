import { type Finding, limited, missing, ok } from './finding.ts'
import { runningProcesses } from './folder.ts'
import { type DoctorRequest, isTo } from './request.ts'

/** Below this not even the panel's own files and links fit. */
const openFilesMin = 1024
/** What Debian's systemd grants services at most by itself has to be asked for; half a million is more than one process serves. */
const openFilesGood = 65_536
/** What UDP between edge and agents asks for, in bytes (`receiveBufferBytes` of the link): a burst of a tenth of a second at 300 Mbit/s. */
const receiveBufferBytesGood = 4 * 1024 * 1024
/** What Node.js asks for when it listens. */
const backlogGood = 511
/** The first port that an ordinary user may have, where the kernel does not say. */
const unprivilegedPortUsual = 1024
/** Bit of `CapEff`: may use every port. */
const capNetBindService = 10n

/** What the kernel limits: open files, buffers, queues, and the ports of connections out. */
export async function examineLimits(request: DoctorRequest): Promise<Finding[]> {
  const { machine, dataDir } = request
  const findings: Finding[] = []
  const [running = null] = await runningProcesses(machine, dataDir)
  const files = openFiles((await machine.text(`/proc/${running ?? 'self'}/limits`)) ?? '')
  if (files !== null) findings.push(openFilesFinding(files, running))
  const sysctl = (name: string): Promise<string | null> => machine.text(`/proc/sys/${name.replaceAll('.', '/')}`)
  if (isTo(request, 'edge') || isTo(request, 'node')) {
    findings.push(
      ...numberFinding(
        'udp-buffer',
        'net.core.rmem_max',
        await sysctl('net.core.rmem_max'),
        receiveBufferBytesGood,
        'bursts of UDP are lost between edge and agents, and downloads over UDP links stay slower',
      ),
    )
  }
  if (isTo(request, 'edge') || isTo(request, 'panel'))
    findings.push(
      ...numberFinding(
        'backlog',
        'net.core.somaxconn',
        await sysctl('net.core.somaxconn'),
        backlogGood,
        'a rush of new connections is refused sooner',
      ),
    )
  findings.push(
    ...overlapFindings(
      request,
      (await sysctl('net.ipv4.ip_local_port_range')) ?? '',
      (await sysctl('net.ipv4.ip_local_reserved_ports')) ?? '',
    ),
  )
  findings.push(
    ...privilegeFindings(
      request,
      (await sysctl('net.ipv4.ip_unprivileged_port_start')) ?? '',
      (await machine.text('/proc/self/status')) ?? '',
    ),
  )
  return findings
}

/** The soft limit of /proc/…/limits; null where it says none. */
export function openFiles(limits: string): number | null {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  if (soft === 'unlimited') return Number.POSITIVE_INFINITY
  return soft !== undefined && /^\d+$/.test(soft) ? Number(soft) : null
}

function openFilesFinding(files: number, running: number | null): Finding {
  const where = running === null ? 'for programs started like this one' : `for the running Pharos (process ${running})`
  const found = `${files === Number.POSITIVE_INFINITY ? 'any number of' : files} open files ${where}`
  const next = 'LimitNOFILE=524288 in the systemd unit, or "ulimit -n" before the start'
  if (files < openFilesMin) return missing('open-files', found, 'Pharos runs out of them soon after its start', next)
  if (files < openFilesGood)
    return limited(
      'open-files',
      found,
      'each visitor and each open connection takes one, so no more than that at a time',
      next,
    )
  return ok('open-files', found)
}

function numberFinding(check: string, name: string, text: string | null, good: number, cost: string): Finding[] {
  const value = Number(text?.trim() || Number.NaN)
  if (!Number.isSafeInteger(value)) return []
  const found = `${name} is ${value}`
  return [
    value < good
      ? limited(check, found, cost, `sysctl -w ${name}=${good}, and the same in /etc/sysctl.d/pharos.conf`)
      : ok(check, found),
  ]
}

interface Range {
  first: number
  last: number
}

/** Ports that Pharos listens on or gives away, and that the kernel also takes for connections out. */
function overlapFindings(request: DoctorRequest, local: string, reserved: string): Finding[] {
  const [first, last] = local.trim().split(/\s+/).map(Number)
  if (!first || !last) return []
  const kept = parseRanges(reserved)
  return portsOf(request).flatMap(({ what, setting, ...range }) => {
    const from = Math.max(first, range.first)
    const to = Math.min(last, range.last)
    if (from > to || kept.some((one) => one.first <= from && one.last >= to)) return []
    const ports = from === to ? String(from) : `${from}-${to}`
    return [
      limited(
        'port-range',
        `${what} (${ports}) lie in the range of connections out (${first}-${last})`,
        'now and then one is taken by a connection of this machine, and cannot be listened on until that ends',
        `choose others with --${setting}, or sysctl -w net.ipv4.ip_local_reserved_ports=${ports}`,
      ),
    ]
  })
}

/** `8080,9148-9200` */
export function parseRanges(text: string): Range[] {
  return text
    .trim()
    .split(',')
    .flatMap((part) => {
      const [first, last = first] = part.split('-').map(Number)
      return first && last ? [{ first, last }] : []
    })
}

function portsOf(request: DoctorRequest): (Range & { what: string; setting: string })[] {
  const { port, edgeHttpPort, edgeMinecraftPort, edgePorts, nodePorts, sftpPort } = request.settings
  const one = (what: string, setting: string, number: number) => ({ what, setting, first: number, last: number })
  return [
    ...(isTo(request, 'panel') ? [one('the panel’s port', 'port', port)] : []),
    ...(isTo(request, 'edge')
      ? [
          one('the edge’s port', 'edge-http-port', edgeHttpPort),
          one('the port of Minecraft tunnels', 'edge-minecraft-port', edgeMinecraftPort),
          { what: 'ports of tunnels', setting: 'edge-ports', ...edgePorts },
        ]
      : []),
    ...(isTo(request, 'node')
      ? [
          { what: 'ports of servers', setting: 'node-ports', ...nodePorts },
          ...(sftpPort === 'none' ? [] : [one('the port of SFTP', 'sftp-port', sftpPort)]),
        ]
      : []),
  ]
}

function privilegeFindings(request: DoctorRequest, start: string, status: string): Finding[] {
  if (request.machine.uid === 0) return []
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1]
  if (effective && (BigInt(`0x${effective}`) >> capNetBindService) & 1n) return []
  const lowest = start.trim() === '' ? unprivilegedPortUsual : Number(start)
  return portsOf(request).flatMap(({ what, setting, first }) =>
    first === 0 || first >= lowest
      ? []
      : [
          missing(
            'privileged-port',
            `${what} (${first}) is below ${lowest}, which this user may not have`,
            'it cannot be listened on',
            `AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or another port with --${setting}`,
          ),
        ],
  )
}

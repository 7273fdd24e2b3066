import type { ContainerRequest, Limits, Owner } from '../../runtime.ts'
import type { ReadyEngine } from './docker.ts'
import { type EngineFacts, limitsBody } from './engine.ts'
import { type ContainerTools, consoleInside, toolsInside } from './tools.ts'

/** Where a server's own folder is inside its container: what images of games expect. */
export const containerHome = '/home/container'

/** The same for an installation script. */
export const installationHome = '/mnt/server'

/** Where the script itself is. */
export const installationScript = '/mnt/install/install.sh'

/** Where the template's shared packages are inside. */
export const containerTemplate = '/opt/template'

/** Of `/tmp`, which is memory of the server's own limit. */
const tmpMibMax = 100

/** An engine's own log has only what goes wrong before the console is open. */
const engineLogBytesMax = 65_536

/** What a container is made of. */
export interface ContainerPlan {
  image: string
  /** A server is its own user on a file system that it cannot write but for its folder; an installation is root of its container. */
  as: 'server' | 'installation'
  ports: ContainerRequest['ports']
  /** Who its processes are; null for this process's user. */
  owner: Owner | null
  /** On this machine. */
  paths: {
    data: string
    input: string
    log: string
    accounts: string
    shared: string | null
    script: string | null
  }
  command: readonly string[]
  environment: Readonly<Record<string, string>>
  limits: Limits
  processesMax: number
  /** The hard limits of this process for open files and processes: an engine may be unable to give more. */
  ulimits: { files: number; processes: number }
  tools: ContainerTools
  facts: EngineFacts
  init: ReadyEngine['init']
  network: ReadyEngine['network']
  labels: Readonly<Record<string, string>>
}

/**
 * What root in a container of an installation may do: give files to others and become others, as package managers do. Neither
 * raw packets nor devices.
 */
const installationCapabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETGID', 'SETUID', 'KILL', 'SYS_CHROOT']

/** The body of the engine's request for a new container. */
export function containerBody(plan: ContainerPlan): object {
  const { paths, network, facts } = plan
  const isServer = plan.as === 'server'
  const home = isServer ? containerHome : installationHome
  const bridged = network.kind === 'bridge'
  const ports = bridged ? plan.ports : []
  return {
    Image: plan.image,
    Entrypoint: plan.tools.begin,
    Cmd: plan.command,
    User: userOf(plan),
    WorkingDir: home,
    Env: Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`),
    Labels: plan.labels,
    Hostname: bridged ? 'server' : undefined,
    // The node judges the server by its console; an image's own idea of health costs processes and tells nobody.
    Healthcheck: { Test: ['NONE'] },
    StopSignal: 'SIGTERM',
    ExposedPorts: Object.fromEntries(ports.map(({ port, protocol }) => [`${port}/${protocol}`, {}])),
    HostConfig: {
      ...limitsBody(plan.limits, plan.processesMax, facts),
      NetworkMode: bridged ? network.name : 'host',
      PortBindings: Object.fromEntries(
        ports.map(({ port, protocol, address }) => [
          `${port}/${protocol}`,
          [{ HostIp: address, HostPort: String(port) }],
        ]),
      ),
      Init: plan.init,
      ReadonlyRootfs: isServer,
      CapDrop: ['ALL'],
      CapAdd: isServer ? [] : installationCapabilities,
      SecurityOpt: ['no-new-privileges'],
      Privileged: false,
      IpcMode: 'private',
      ...(facts.remapsUsers && !facts.rootless ? { UsernsMode: 'host' } : {}),
      RestartPolicy: { Name: 'no' },
      Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${tmpMibMax}m` },
      LogConfig: { Type: 'json-file', Config: { 'max-size': String(engineLogBytesMax) } },
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: plan.ulimits.files, Hard: plan.ulimits.files },
        { Name: 'nproc', Soft: plan.ulimits.processes, Hard: plan.ulimits.processes },
      ],
      Mounts: [
        bind(plan.tools.folder, toolsInside, false),
        bind(paths.input, consoleInside.input, true),
        bind(paths.log, consoleInside.log, true),
        bind(paths.data, home, true),
        ...(isServer ? [bind(paths.accounts, '/etc/passwd', false)] : []),
        ...(paths.shared === null ? [] : [bind(paths.shared, containerTemplate, false)]),
        ...(paths.script === null ? [] : [bind(paths.script, installationScript, false)]),
      ],
    },
  }
}

const bind = (source: string, target: string, writable: boolean) => ({
  Type: 'bind',
  Source: source,
  Target: target,
  ReadOnly: !writable,
})

function userOf({ as, owner, facts }: ContainerPlan): string {
  // An ordinary user's engine: root inside is that user.
  if (facts.rootless || as === 'installation') return '0:0'
  return owner ? `${owner.uid}:${owner.gid}` : `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
}

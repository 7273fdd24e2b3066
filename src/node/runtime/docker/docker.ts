import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { chown, open, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { AppError, conflict } from '../../../contract/errors.ts'
import { writeFileAtomic } from '../../../lib/fs.ts'
import type { Log } from '../../../lib/log.ts'
import {
  type ContainerRequest,
  type InstallRequest,
  type LaunchRequest,
  type Limits,
  type Owner,
  type Places,
  type Run,
  type RunEnd,
  serverFiles,
} from '../../runtime.ts'
import { toolEnvironment } from '../launch.ts'
import { readBootId } from '../proc.ts'
import { containerBody, containerHome, containerTemplate, installationScript } from './container-body.ts'
import { endOf, trackContainer } from './container-run.ts'
import type { Engine } from './engine.ts'
import { EngineAway, EngineRefusal } from './engine-http.ts'
import { type ContainerMarker, readMarker, removeMarker, writeMarker } from './marker.ts'
import type { ContainerTools } from './tools.ts'

const run = promisify(execFile)

/** An engine, and what has turned out to work with it here. */
export interface ReadyEngine {
  engine: Engine
  /** A network of our own, or this machine's. */
  network: { kind: 'bridge'; name: string } | { kind: 'host' }
  /** It has a first process that collects ended ones and passes signals on. */
  init: boolean
}

/** Who runs servers in containers, and within what. */
export interface ContainersOptions {
  /** The engine as it is reached now; rejects with `EngineAway` or `EngineRefusal`. */
  ready(): Promise<ReadyEngine>
  /** Makes the server's folder ready for its user. */
  prepare(folder: string): Promise<Owner | null>
  tools: ContainerTools
  /** Tells this node's containers from those of others. */
  identity: string
  processesMax: number
  log: Log
}

/** The part of a runtime that containers do; see `Runtime`. */
export interface Containers {
  places(shared: string | null): Places
  /** Downloads the image where it is missing; `progress` hears of it in words. */
  provide(image: string, progress: (line: string) => void, signal: AbortSignal): Promise<void>
  start(request: LaunchRequest & { container: ContainerRequest }): Promise<Run>
  install(request: InstallRequest): Promise<Run>
  /** Null where the folder has no container. */
  find(folder: string): Promise<Run | RunEnd | null>
  sweep(folder: string): Promise<void>
}

/** How long the first program of a container may take to open the console, in ms: a busy machine is slow. */
const beginWaitMs = 30_000

/** How often that is looked at, in ms. */
const pollMs = 5

/** How often a container is asked for that does not begin, in polls. */
const pollsPerLook = 20

/** A download is told at most this often, in ms; each is a line of the console. */
const pullWordsMs = 2_000

/** What engines give containers by default: open files of one process. */
const filesMax = 1_048_576

/** Podman gives itself no more than the kernel's usual number of process ids; far above what the control group lets a server have. */
const processesOfUserMax = 32_768

/** Package managers need so much, whatever the server itself may use later, in bytes and cores. */
const installationMemoryBytesMin = 1024 * 1024 * 1024
const installationCoresMin = 1

interface Launching {
  folder: string
  as: 'server' | 'installation'
  image: string
  /** Null for the image's own. */
  command: readonly string[] | null
  script: string | null
  environment: Readonly<Record<string, string>>
  limits: Limits
  shared: string | null
  ports: ContainerRequest['ports']
}

export function createContainers(options: ContainersOptions): Containers {
  const { ready, log, processesMax } = options
  const engine = async (): Promise<Engine> => (await ready()).engine
  const nameOf = (folder: string): string => `pharos-${options.identity}-${basename(folder)}`
  const tracked = (folder: string, marker: ContainerMarker): Run =>
    trackContainer({ folder, marker, engine, processesMax, log })

  /** Lets the program of a made container go, once its console's files are out of its reach. */
  const begin = async (folder: string, marker: ContainerMarker, now: Engine): Promise<Run> => {
    const input = join(folder, serverFiles.input)
    const fifo = await opened(input, now, marker.name)
    try {
      await takeBack(folder)
      await fifo.write('\n')
    } finally {
      await fifo.close()
    }
    const begun: ContainerMarker = { ...marker, phase: 'begun' }
    await writeMarker(folder, begun)
    return tracked(folder, begun)
  }

  /** Makes a container and lets its program go. */
  const launch = async (launching: Launching): Promise<Run> => {
    const { folder, as, image } = launching
    const { engine: now, network, init } = await ready()
    const owner = await options.prepare(folder)
    const name = nameOf(folder)
    const marker: ContainerMarker = { name, boot: await readBootId(), as, phase: 'made', end: null }
    await now.remove(name)
    await writeMarker(folder, marker)
    try {
      const paths = await consoleFiles(launching, as === 'server' && !now.facts.rootless ? owner : null)
      const command = launching.command ?? (await now.imageCommand(image))
      if (command.length === 0)
        throw conflict(`Image ${image} does not say which program it begins with; the template must name one`)
      const { environment, limits, ports } = launching
      await now.create(
        name,
        containerBody({
          ...{ image, as, owner, paths, command, environment, limits, ports, network, init, processesMax },
          ...{ facts: now.facts, tools: options.tools, ulimits: await hardLimits() },
          labels: { 'org.pharos.node': options.identity, 'org.pharos.server': basename(folder) },
        }),
      )
      await now.start(name)
      return await begin(folder, marker, now)
    } catch (error) {
      await now.remove(name).catch((failure: unknown) => log.warn({ err: failure }, 'container not removed'))
      await takeBack(folder)
      await removeMarker(folder)
      throw error
    }
  }

  return {
    places: (shared) => ({
      home: containerHome,
      template: shared === null ? containerHome : containerTemplate,
      path: null,
    }),

    provide: (image, progress, signal) =>
      explained(`Image ${image} could not be had`, async () => {
        const now = await engine()
        if (await now.hasImage(image)) return
        progress(`Pulling image ${image}`)
        let told = performance.now()
        try {
          await now.pull(
            image,
            (done, total) => {
              if (performance.now() - told < pullWordsMs) return
              told = performance.now()
              progress(`Pulling image ${image}: ${mib(done)} of ${mib(total)} MiB`)
            },
            signal,
          )
        } catch (error) {
          if (!(error instanceof EngineRefusal)) throw error
          throw new AppError(
            'conflict',
            `Image ${image} could not be pulled: ${error.message}. Check its name, and that this node reaches its registry`,
            { cause: error },
          )
        }
        progress(`Pulled image ${image}`)
      }),

    start: ({ container, command, ...request }) =>
      explained('The container could not be started', () =>
        launch({
          ...{ ...request, as: 'server', image: container.image, ports: container.ports, script: null },
          command: container.startsItself ? null : command,
        }),
      ),

    install: ({ entrypoint, script, environment, limits, ...request }) =>
      explained('The container of the installation could not be started', () =>
        launch({
          ...{ ...request, as: 'installation', ports: [], shared: null, script: script.replaceAll('\r\n', '\n') },
          command: [...entrypoint.trim().split(/\s+/), installationScript],
          environment: { ...environment, HOME: '/root' },
          limits: {
            memoryBytes: Math.max(limits.memoryBytes, installationMemoryBytesMin),
            cpuCores: Math.max(limits.cpuCores, installationCoresMin),
          },
        }),
      ),

    async find(folder) {
      const marker = await readMarker(folder)
      if (!marker) return null
      if (marker.end) return { ...marker.end }
      try {
        const now = await engine()
        const state = await now.inspect(marker.name)
        if (state?.status === 'running')
          return marker.phase === 'made' ? await begin(folder, marker, now) : tracked(folder, marker)
        return await endOf({ folder, marker, state, killed: false, engineRestarted: false, engine: now })
      } catch (error) {
        if (error instanceof AppError) {
          log.warn({ err: error, container: marker.name }, 'a container that was just made could not be begun')
          await (await engine()).remove(marker.name)
          return { code: null, signal: null, outOfMemory: false, machineRestarted: false }
        }
        log.warn({ err: error, container: marker.name }, 'the container engine does not answer; asking again')
        // As far as anybody knows it runs.
        return tracked(folder, marker)
      }
    },

    async sweep(folder) {
      const marker = await readMarker(folder)
      if (!marker) return
      if (!marker.end)
        await explained('Its container could not be ended', async () => (await engine()).remove(marker.name))
      if (marker.as === 'installation') await giveTo(join(folder, serverFiles.data), await options.prepare(folder))
      await removeMarker(folder)
    },
  }
}

/** Makes the console's files and gives them to the container's user until its first program has opened them. */
async function consoleFiles({ folder, shared, script }: Launching, owner: Owner | null) {
  const path = (name: string): string => join(folder, name)
  const paths = {
    ...{ data: path(serverFiles.data), input: path(serverFiles.input), log: path(serverFiles.log) },
    ...{ accounts: path('passwd'), shared, script: script === null ? null : path('install.sh') },
  }
  if (paths.script !== null) await writeFileAtomic(paths.script, script ?? '', 0o755)
  await rm(paths.input, { force: true })
  await run('mkfifo', ['-m', '600', paths.input], { env: toolEnvironment })
  const uid = owner?.uid ?? process.getuid?.() ?? 0
  const gid = owner?.gid ?? process.getgid?.() ?? 0
  const line = (name: string, id: number, group: number, home: string): string =>
    `${name}:x:${id}:${group}::${home}:/bin/sh\n`
  await writeFileAtomic(
    paths.accounts,
    `${line('root', 0, 0, '/root')}${line('server', uid, gid, containerHome)}`,
    0o644,
  )
  await (await open(paths.log, 'a', 0o600)).close()
  if (owner) for (const file of [paths.input, paths.log]) await chown(file, owner.uid, owner.gid)
  return paths
}

/** From now on only who has the console's files open can use them. */
async function takeBack(folder: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  for (const name of [serverFiles.input, serverFiles.log])
    await chown(join(folder, name), 0, 0).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
}

/** The FIFO, once the container's first program has it open. */
async function opened(path: string, engine: Engine, name: string) {
  const until = performance.now() + beginWaitMs
  for (let poll = 1; ; poll++) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    if (poll % pollsPerLook === 0) {
      const state = await engine.inspect(name)
      if (state?.status !== 'running' || performance.now() > until) {
        const why = state?.error || (state ? await engine.logTail(name) : 'somebody has removed it')
        throw conflict(
          `The container could not open this server's console (${why}). Does the engine run on this machine, and see its files?`,
        )
      }
    }
    await sleep(pollMs)
  }
}

/** What root of an installation has made becomes the server's; symbolic links are not followed. */
async function giveTo(data: string, owner: Owner | null): Promise<void> {
  if (owner) await run('chown', ['-hR', '--', `${owner.uid}:${owner.gid}`, data], { env: toolEnvironment })
}

/** An engine's own words, after what they are about. */
async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof EngineRefusal) throw new AppError('conflict', `${what}: ${error.message}`, { cause: error })
    if (error instanceof EngineAway)
      throw new AppError(
        'conflict',
        `${what}: the container engine of this node does not answer; start it, then try again`,
        { cause: error },
      )
    throw error
  }
}

async function hardLimits(): Promise<{ files: number; processes: number }> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  const hard = (name: string, most: number): number => {
    const value = new RegExp(`^${name} +\\S+ +(\\d+)`, 'm').exec(limits)?.[1]
    return Math.min(value === undefined ? most : Number(value), most)
  }
  return { files: hard('Max open files', filesMax), processes: hard('Max processes', processesOfUserMax) }
}

const mib = (bytes: number): number => Math.round(bytes / 1_048_576)

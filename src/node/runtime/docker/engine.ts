import { z } from 'zod'
import type { Limits, RunUsage } from '../../runtime.ts'
import type { EngineHttp } from './engine-http.ts'
import { EngineRefusal, jsonOrNull, shortened } from './engine-http.ts'
import { imageReference } from './image-name.ts'
import { logBytes } from './log-frames.ts'

/** A container as its engine has it. */
export interface ContainerState {
  status: 'created' | 'running' | 'ended'
  exitCode: number
  outOfMemory: boolean
  /** What the engine says of why it did not start. */
  error: string
  /** Of its first process, as this machine knows it; 0 where there is none, or the engine runs elsewhere. */
  pid: number
}

/** What an engine is. */
export interface EngineFacts {
  /** Of the API, such as `1.41`. */
  api: string
  /** For people: `Docker Engine 20.10.24`. */
  name: string
  kind: 'docker' | 'podman'
  /** Its containers' root is not this machine's: it runs as an ordinary user. */
  rootless: boolean
  /** It gives containers other user ids than they have inside. */
  remapsUsers: boolean
  seccomp: boolean
  memoryLimit: boolean
  cpuLimit: boolean
  processLimit: boolean
  /** Of the machine: engines refuse to promise more of them. */
  cpus: number
}

/** What is asked of an engine. Every method throws what `EngineHttp` throws. */
export interface Engine {
  readonly facts: EngineFacts
  /** Rejects where it takes no new connections: it is away, or about to be. */
  ping(): Promise<void>
  hasImage(image: string): Promise<boolean>
  /** Program and arguments that an image begins with. */
  imageCommand(image: string): Promise<string[]>
  /** Downloads an image. `progress` hears of bytes; `total` grows while layers become known. */
  pull(image: string, progress: (done: number, total: number) => void, signal: AbortSignal): Promise<void>
  /** Makes an image of a root file system in a tar archive; its id. */
  importImage(tar: Buffer): Promise<string>
  removeImage(image: string): Promise<void>
  create(name: string, body: object): Promise<void>
  start(name: string): Promise<void>
  /** Null where there is no such container. */
  inspect(name: string): Promise<ContainerState | null>
  /** Resolves when it does not run, or with nothing known when the engine goes away. */
  wait(name: string, signal: AbortSignal): Promise<void>
  /** One that does not run is success. */
  kill(name: string, signal: string): Promise<void>
  /** Also while it runs; one that is not there is success. */
  remove(name: string): Promise<void>
  usage(name: string): Promise<RunUsage | null>
  /** Throws `EngineRefusal` where this engine cannot change a running container. */
  setLimits(name: string, limits: Limits, processesMax: number): Promise<void>
  /** The end of what the container wrote to the engine itself. */
  logTail(name: string): Promise<string>
  /** Makes a network where it is missing. */
  ensureNetwork(name: string, body: object): Promise<void>
  /** One that is not there is success. */
  removeNetwork(name: string): Promise<void>
}

/** The newest version of the API that this was tried with; a newer engine still speaks it. */
const apiNewest = '1.51'

/** Of an engine's own log, in bytes: a few lines on why a container did not begin. */
const logTailBytes = 2_000

/** A registry may be slow; one that sends nothing for so long is stuck, in ms. */
const pullQuietMs = 180_000

const Version = z.looseObject({
  Version: z.string().max(100),
  ApiVersion: z.string().regex(/^\d+\.\d+$/),
  MinAPIVersion: z
    .string()
    .regex(/^\d+\.\d+(\.\d+)?$/)
    .optional(),
  Components: z.array(z.looseObject({ Name: z.string() })).nullish(),
})

const Info = z.looseObject({
  SecurityOptions: z.array(z.string()).nullish(),
  MemoryLimit: z.boolean().default(false),
  CpuCfsQuota: z.boolean().optional(),
  CPUCfsQuota: z.boolean().optional(),
  PidsLimit: z.boolean().default(false),
  Rootless: z.boolean().optional(),
  NCPU: z.number().min(1).default(1024),
})

/** Asks the engine what it is. */
export async function openEngine(http: EngineHttp): Promise<Engine> {
  const version = Version.parse(jsonOf(await http.call({ method: 'GET', path: '/version' })))
  const info = Info.parse(jsonOf(await http.call({ method: 'GET', path: '/info' })))
  return engineOver(http, factsOf(version, info))
}

function factsOf(version: z.output<typeof Version>, info: z.output<typeof Info>): EngineFacts {
  const security = info.SecurityOptions ?? []
  const has = (name: string): boolean => security.some((option) => option.split(',')[0] === `name=${name}`)
  const podman = version.Components?.some(({ Name }) => Name.startsWith('Podman')) ?? false
  const api = [version.ApiVersion, apiNewest].toSorted(byVersion)[0] ?? apiNewest
  return {
    // Podman's oldest is of its own API, which has other numbers.
    api: podman ? api : ([api, version.MinAPIVersion ?? api].toSorted(byVersion).at(-1) ?? api),
    name: `${podman ? 'Podman' : 'Docker Engine'} ${version.Version}`,
    kind: podman ? 'podman' : 'docker',
    rootless: info.Rootless ?? has('rootless'),
    remapsUsers: has('userns'),
    seccomp: has('seccomp'),
    memoryLimit: info.MemoryLimit,
    cpuLimit: info.CpuCfsQuota ?? info.CPUCfsQuota ?? false,
    processLimit: info.PidsLimit,
    cpus: info.NCPU,
  }
}

const byVersion = (left: string, right: string): number =>
  left.localeCompare(right, 'en', { numeric: true, sensitivity: 'base' })

const State = z.looseObject({
  State: z.looseObject({
    Status: z.string(),
    ExitCode: z.int().default(0),
    OOMKilled: z.boolean().default(false),
    Error: z.string().default(''),
    Pid: z.int().min(0).default(0),
  }),
})

const Stats = z.looseObject({
  memory_stats: z.looseObject({
    usage: z.number().default(0),
    stats: z.record(z.string(), z.number()).nullish(),
  }),
  cpu_stats: z.looseObject({ cpu_usage: z.looseObject({ total_usage: z.number() }) }),
  pids_stats: z.looseObject({ current: z.number().default(0) }).nullish(),
})

const Image = z.looseObject({
  Config: z.looseObject({ Entrypoint: z.array(z.string()).nullish(), Cmd: z.array(z.string()).nullish() }).nullish(),
})

const Imported = z.looseObject({ status: z.string() })

function engineOver(http: EngineHttp, facts: EngineFacts): Engine {
  const v = `/v${facts.api}`
  const container = (name: string): string => `${v}/containers/${encodeURIComponent(name)}`
  const imagePath = (image: string): string => `${v}/images/${imageReference(image)}`
  return {
    facts,

    async ping() {
      await http.call({ method: 'GET', path: '/_ping', anew: true })
    },

    async hasImage(image) {
      return (await unless(404, http.call({ method: 'GET', path: `${imagePath(image)}/json` }))) !== null
    },

    async imageCommand(image) {
      const { Config } = Image.parse(jsonOf(await http.call({ method: 'GET', path: `${imagePath(image)}/json` })))
      return [...(Config?.Entrypoint ?? []), ...(Config?.Cmd ?? [])]
    },

    async pull(image, progress, signal) {
      const layers = new Layers()
      const lines = http.stream({
        method: 'POST',
        path: `${v}/images/create`,
        query: { fromImage: imageReference(image) },
        signal,
        quietMsMax: pullQuietMs,
      })
      for await (const line of jsonLines(lines)) {
        if (layers.take(line)) progress(layers.done, layers.total)
      }
    },

    async importImage(tar) {
      let id = ''
      const lines = http.stream({
        method: 'POST',
        path: `${v}/images/create`,
        query: { fromSrc: '-' },
        body: tar,
      })
      for await (const line of jsonLines(lines)) {
        const parsed = Imported.safeParse(line)
        if (parsed.success && /^sha256:[0-9a-f]{64}$/.test(parsed.data.status)) id = parsed.data.status
      }
      if (id === '') throw new EngineRefusal(500, 'the engine did not say which image it made')
      return id
    },

    async removeImage(image) {
      await unless(404, http.call({ method: 'DELETE', path: imagePath(image), query: { force: '1' } }))
    },

    async create(name, body) {
      await http.call({ method: 'POST', path: `${v}/containers/create`, query: { name }, body })
    },

    async start(name) {
      await http.call({ method: 'POST', path: `${container(name)}/start` })
    },

    async inspect(name) {
      const answer = await unless(404, http.call({ method: 'GET', path: `${container(name)}/json` }))
      if (answer === null) return null
      const { State: state } = State.parse(jsonOf(answer))
      return {
        status: statusOf(state.Status),
        exitCode: state.ExitCode,
        outOfMemory: state.OOMKilled,
        error: state.Error === '' ? '' : shortened(state.Error),
        pid: state.Pid,
      }
    },

    async wait(name, signal) {
      await unless(
        404,
        http.call({
          ...{ method: 'POST', path: `${container(name)}/wait`, query: { condition: 'not-running' } },
          ...{ signal, quietMsMax: 0 },
        }),
      )
    },

    async kill(name, signal) {
      try {
        await http.call({ method: 'POST', path: `${container(name)}/kill`, query: { signal } })
      } catch (error) {
        // Docker says 409 of one that does not run, Podman 500 as of everything.
        if (!(error instanceof EngineRefusal)) throw error
        const state = await this.inspect(name)
        if (state?.status === 'running') throw error
      }
    },

    async remove(name) {
      // 409: its removal is under way.
      await unless([404, 409], http.call({ method: 'DELETE', path: container(name), query: { force: '1', v: '1' } }))
    },

    async usage(name) {
      const path = `${container(name)}/stats`
      const answer = await unless(
        [404, 409, 500],
        http.call({ method: 'GET', path, query: { stream: 'false', 'one-shot': 'true' } }),
      )
      const parsed = Stats.safeParse(answer === null ? null : jsonOf(answer))
      if (!parsed.success) return null
      const { memory_stats: memory, cpu_stats: cpu, pids_stats: pids } = parsed.data
      // Pages of files that were read long ago are given up before anything else.
      const idleCache = memory.stats?.total_inactive_file ?? memory.stats?.inactive_file ?? 0
      return {
        memoryBytes: Math.max(0, memory.usage - idleCache),
        cpuSeconds: cpu.cpu_usage.total_usage / 1e9,
        processes: pids?.current ?? 0,
      }
    },

    async setLimits(name, limits, processesMax) {
      await http.call({
        method: 'POST',
        path: `${container(name)}/update`,
        body: limitsBody(limits, processesMax, facts),
      })
    },

    async logTail(name) {
      const query = { stdout: '1', stderr: '1', tail: '20' }
      const framed = await http.call({ method: 'GET', path: `${container(name)}/logs`, query })
      return shortened(logBytes(framed, logTailBytes).toString())
    },

    async ensureNetwork(name, body) {
      const path = `${v}/networks/${encodeURIComponent(name)}`
      if ((await unless(404, http.call({ method: 'GET', path }))) !== null) return
      await http.call({ method: 'POST', path: `${v}/networks/create`, body: { Name: name, ...body } })
    },

    async removeNetwork(name) {
      await unless(404, http.call({ method: 'DELETE', path: `${v}/networks/${encodeURIComponent(name)}` }))
    },
  }
}

/** The limits as engines take them, at the start and later. Swap would make memory slow instead of limited. */
export const limitsBody = (limits: Limits, processesMax: number, { cpus }: Pick<EngineFacts, 'cpus'>) => ({
  Memory: Math.round(limits.memoryBytes),
  MemorySwap: Math.round(limits.memoryBytes),
  NanoCpus: Math.max(nanoCpusMin, Math.round(Math.min(limits.cpuCores, cpus) * 1e9)),
  PidsLimit: processesMax,
})

/** The smallest share of a core that engines take. */
const nanoCpusMin = 10_000_000

function statusOf(status: string): ContainerState['status'] {
  if (status === 'running' || status === 'paused' || status === 'restarting' || status === 'stopping') return 'running'
  return status === 'created' || status === 'configured' || status === 'initialized' ? 'created' : 'ended'
}

const jsonOf = (bytes: Buffer): unknown => jsonOrNull(bytes.toString())

async function unless<T>(status: number | readonly number[], call: Promise<T>): Promise<T | null> {
  try {
    return await call
  } catch (error) {
    if (error instanceof EngineRefusal && [status].flat().includes(error.status)) return null
    throw error
  }
}

/** A line of progress is short; more without a line's end is none, in bytes. */
const lineBytesMax = 1024 * 1024

const Failure = z.looseObject({ error: z.string() })

/** One JSON value after the other, each in its line. Throws the engine's refusal where one of them is that. */
async function* jsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let rest = ''
  for await (const chunk of chunks) {
    rest += chunk.toString('latin1')
    if (rest.length > lineBytesMax) throw new EngineRefusal(500, 'the engine answered with too long a line')
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield* parsedLine(line)
  }
  yield* parsedLine(rest)
}

function* parsedLine(line: string): Generator<unknown> {
  if (line.trim() === '') return
  const value = jsonOrNull(Buffer.from(line, 'latin1').toString())
  const failure = Failure.safeParse(value)
  if (failure.success) throw new EngineRefusal(500, shortened(failure.data.error))
  yield value
}

const Progress = z.looseObject({
  id: z.string().max(200),
  status: z.literal('Downloading'),
  progressDetail: z.looseObject({ current: z.number(), total: z.number() }),
})

/** More layers than any image has: what an engine says of others is not counted. */
const layersMax = 500

/** How far the layers of an image are. */
class Layers {
  readonly #layers = new Map<string, { done: number; total: number }>()

  get done(): number {
    return [...this.#layers.values()].reduce((sum, layer) => sum + layer.done, 0)
  }

  get total(): number {
    return [...this.#layers.values()].reduce((sum, layer) => sum + layer.total, 0)
  }

  /** Whether that was news. */
  take(line: unknown): boolean {
    const parsed = Progress.safeParse(line)
    if (!parsed.success || (this.#layers.size >= layersMax && !this.#layers.has(parsed.data.id))) return false
    const { current, total } = parsed.data.progressDetail
    this.#layers.set(parsed.data.id, { done: current, total })
    return true
  }
}

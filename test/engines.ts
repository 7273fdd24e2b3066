import { execFileSync, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Engine, openEngine } from '../src/node/runtime/docker/engine.ts'
import { connectEngine } from '../src/node/runtime/docker/engine-http.ts'
import { librariesOf } from '../src/node/runtime/docker/tools.ts'
import { readStat } from '../src/node/runtime/proc.ts'
import { patienceMs } from './patience.ts'

export const engineKinds = ['docker', 'podman'] as const
export type EngineKind = (typeof engineKinds)[number]

/** The programs of each, and the package that brings them. */
const programs = {
  docker: { names: ['dockerd', 'containerd', 'runc'], advice: 'apt-get install docker.io' },
  podman: { names: ['podman', 'conmon', 'runc'], advice: 'apt-get install podman runc' },
} as const

/** Why there can be no such engine here; null where there can. `forbidden`: by this machine, whatever is installed. */
export function whyNoEngine(kind: EngineKind): { words: string; forbidden: boolean } | null {
  if (process.getuid?.() !== 0) return { words: 'starting a container engine needs root', forbidden: true }
  const missing = programs[kind].names.filter((name) => !isThere(name))
  return missing.length > 0
    ? { words: `${missing.join(', ')} not installed: ${programs[kind].advice}`, forbidden: false }
    : null
}

const isThere = (program: string): boolean => {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The first engine that runs here, with an image that has Node.js; or why there is none. Under CI=true a missing package is an error. */
export async function startAnyEngine(): Promise<{ engine: TestEngine; image: string } | { skipped: string }> {
  const reasons: string[] = []
  for (const kind of engineKinds) {
    const why = whyNoEngine(kind)
    if (why && !why.forbidden && process.env.CI === 'true') throw new Error(why.words)
    if (why) {
      reasons.push(why.words)
      continue
    }
    const engine = await TestEngine.start(kind).catch((error: Error) => error)
    if (engine instanceof Error) {
      reasons.push(engine.message)
      continue
    }
    try {
      const image = await engine.nodeImage()
      await engine.tryOut(image)
      return { engine, image }
    } catch (error) {
      await engine[Symbol.asyncDispose]()
      reasons.push(String(error))
    }
  }
  return { skipped: reasons.join('; ') }
}

/** A container engine of the tests' own, with its images, containers and socket in a folder that goes with it. */
export class TestEngine implements AsyncDisposable {
  readonly kind: EngineKind
  readonly socket: string
  readonly #folder: string
  #process: ReturnType<typeof spawn> | null = null
  #engine: Engine | null = null

  private constructor(kind: EngineKind, folder: string) {
    this.kind = kind
    this.#folder = folder
    this.socket = join(folder, 'engine.sock')
  }

  /** Throws what the engine says where this machine's kernel does not let it run. */
  static async start(kind: EngineKind): Promise<TestEngine> {
    // The paths of an engine's own sockets are long, and such paths may not be.
    const engine = new TestEngine(kind, await mkdtemp(join(tmpdir(), 'pe-')))
    try {
      if (kind === 'podman') await engine.#writePodmanConfig()
      await engine.up()
      return engine
    } catch (error) {
      await engine[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Of the tests' client. */
  get engine(): Engine {
    if (!this.#engine) throw new Error('the engine is not up')
    return this.#engine
  }

  /** Starts it again on its data. `keeps`: its containers go on while it is away. */
  async up({ keeps = true }: { keeps?: boolean } = {}): Promise<void> {
    const [program, args, env] = this.kind === 'docker' ? this.#dockerd(keeps) : this.#podman()
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      // Podman's own watcher leaves a file where it was started.
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process = child
    let said = ''
    child.stderr?.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-2000)
    })
    for (const end = performance.now() + patienceMs; ; await sleep(20)) {
      const http = connectEngine(this.socket)
      try {
        this.#engine = await openEngine(http)
        return
      } catch (error) {
        http[Symbol.dispose]()
        if (child.exitCode !== null || performance.now() > end)
          throw new Error(`${program} does not run here: ${said}`, { cause: error })
      }
    }
  }

  async down(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const running = this.#process
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill(signal)
    await ended
    if (this.kind === 'docker') await this.#containerdEnded()
  }

  /** It dies with dockerd. One that nobody has waited for yet looks alive to the next dockerd, which then waits for it in vain. */
  async #containerdEnded(): Promise<void> {
    const file = join(this.#folder, 'x/containerd/containerd.pid')
    const pid = Number(await readFile(file, 'utf8').catch(() => '0'))
    for (const end = performance.now() + patienceMs; pid > 0 && performance.now() < end; await sleep(20)) {
      const { state } = readStat(pid) ?? { state: 'Z' }
      if (state === 'Z') break
    }
    await rm(file, { force: true })
  }

  /** Throws where this machine's kernel lets no container run, however plain. */
  async tryOut(image: string): Promise<void> {
    const limit = (Name: string, most: number) => ({ Name, Soft: most, Hard: most })
    await this.engine.create('try-out', {
      ...{ Image: image, Entrypoint: ['/bin/sh', '-c', 'exit 7'] },
      HostConfig: { NetworkMode: 'host', Ulimits: [limit('nofile', 1024), limit('nproc', 1024)] },
    })
    try {
      await this.engine.start('try-out')
      await this.engine.wait('try-out', AbortSignal.timeout(patienceMs))
      const state = await this.engine.inspect('try-out')
      if (state?.exitCode !== 7) throw new Error(`${this.kind} runs no containers here: ${JSON.stringify(state)}`)
    } finally {
      await this.engine.remove('try-out')
    }
  }

  /** An image with Node.js, a shell and what they need, of this machine's own files. */
  async nodeImage(): Promise<string> {
    const files = new Map<string, string>()
    for (const [program, name] of [
      [process.execPath, 'usr/local/bin/node'],
      ['/bin/sh', 'bin/sh'],
      ['/bin/sleep', 'bin/sleep'],
    ] as const) {
      const { loader, libraries } = await librariesOf(program)
      files.set(program.slice(1), name)
      for (const library of [...libraries, ...(loader ? [loader] : [])]) files.set(library.slice(1), library.slice(1))
    }
    const renamed = [...files].flatMap(([from, to]) => (from === to ? [] : ['--transform', `s|^${from}$|${to}|`]))
    const tar = join(this.#folder, 'image.tar')
    execFileSync('tar', ['-C', '/', '-chf', tar, ...renamed, ...files.keys()])
    const id = await this.engine.importImage(await readFile(tar))
    await rm(tar)
    return id
  }

  #dockerd(keeps: boolean): [string, string[], NodeJS.ProcessEnv] {
    const at = (name: string): string => join(this.#folder, name)
    return [
      'dockerd',
      [
        ...['--data-root', at('data'), '--exec-root', at('x'), '--pidfile', at('pid'), '-H', `unix://${this.socket}`],
        // Nothing of this machine's own network is touched.
        ...['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--bridge=none', '--log-level=error'],
        ...(keeps ? ['--live-restore'] : []),
      ],
      {},
    ]
  }

  #podman(): [string, string[], NodeJS.ProcessEnv] {
    return [
      'podman',
      ['system', 'service', '--time=0', `unix://${this.socket}`],
      {
        CONTAINERS_CONF: join(this.#folder, 'containers.conf'),
        CONTAINERS_STORAGE_CONF: join(this.#folder, 'storage.conf'),
      },
    ]
  }

  async #writePodmanConfig(): Promise<void> {
    const at = (name: string): string => JSON.stringify(join(this.#folder, name))
    await mkdir(join(this.#folder, 'cni'))
    await writeFile(
      join(this.#folder, 'storage.conf'),
      `[storage]\ndriver = "overlay"\nrunroot = ${at('run')}\ngraphroot = ${at('data')}\n`,
    )
    await writeFile(
      join(this.#folder, 'containers.conf'),
      [
        '[engine]',
        'cgroup_manager = "cgroupfs"',
        'events_logger = "file"',
        'runtime = "runc"',
        `tmp_dir = ${at('tmp')}`,
        '[network]',
        'network_backend = "cni"',
        `network_config_dir = ${at('cni')}`,
        '',
      ].join('\n'),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down('SIGTERM')
    // Storage of a container that is being cleared away may still be mounted.
    for (const end = performance.now() + patienceMs; ; await sleep(50)) {
      for (const mount of (await readFile('/proc/self/mounts', 'utf8')).split('\n').toReversed()) {
        const point = mount.split(' ')[1] ?? ''
        if (point.startsWith(`${this.#folder}/`)) execFileSync('umount', ['-l', point], { stdio: 'ignore' })
      }
      try {
        return await rm(this.#folder, { recursive: true, force: true })
      } catch (error) {
        if (performance.now() > end) throw error
      }
    }
  }
}

import type { NodeCapabilities } from '../contract/node.ts'

/**
 * How a server's processes are made, found again and ended. A runtime knows nothing of phases, templates or consoles.
 *
 * What every runtime promises: the processes outlive this one, whatever kills it. Standard input is the FIFO `console.in`
 * that the process itself holds open, output is appended to `console.log`, and how it ended is written to `status`, all in
 * the server's folder; no process of ours is needed in between.
 */
export interface Runtime extends AsyncDisposable {
  /** As they are now: a container engine may come later. */
  readonly capabilities: NodeCapabilities
  /** Looks again for what was not there. Never rejects. */
  refresh(): Promise<void>
  /** Where things are as the server's processes see them. */
  places(request: { folder: string; shared: string | null; container?: ContainerRequest | null }): Places
  /** Makes the server's folder ready for its user: creates `data/` and gives it to that user. Idempotent. */
  prepare(folder: string): Promise<Owner | null>
  /** Has a container image at hand, downloading it where it is missing; `progress` hears of it. Rejects with an `AppError`. */
  provide(image: string, progress: (line: string) => void, signal: AbortSignal): Promise<void>
  /** Resolves once the processes exist. Rejects with an `AppError` that says what could not be done; then nothing is left running. */
  start(request: LaunchRequest): Promise<Run>
  /** Runs an egg's installation script in a container of its own, whose image is at hand. Only runtimes with containers have it. */
  install?(request: InstallRequest): Promise<Run>
  /** Finds what `start` once made in this folder, also one that has ended since; null when nothing was ever launched. */
  find(folder: string): Promise<Run | RunEnd | null>
  /** Ends whatever still runs for this folder, known or not. */
  sweep(folder: string): Promise<void>
  /** How to run a program of the node's own on what somebody else has made. */
  confine(request: ConfineRequest): Promise<Confinement>
}

/** A program of the node's own, for Node.js: it may read itself, write one folder, and reach nothing else. */
export interface ConfineRequest {
  /** Whom it becomes; null for this process's user. */
  owner: Owner | null
  /** Its working folder, which must belong to the owner already. */
  folder: string
  program: {
    /** Where the node's own files are, and which of them the program is made of. */
    root: string
    parts: readonly string[]
    /** What is run, relative to the root. */
    main: string
  }
  /** For Node.js itself. */
  nodeOptions: readonly string[]
  limits: Limits
}

/** A command to be started by whoever asked, with its own standard streams; descriptor 3 is passed on too. */
export interface Confinement extends AsyncDisposable {
  command: readonly [program: string, ...rest: string[]]
  cwd: string
}

export interface Places {
  /** The server's own folder: its working directory and `HOME`. */
  home: string
  /** The template's shared packages. */
  template: string
  /** `PATH`; null for the image's own. */
  path: string | null
}

/** The system user that a server's processes and files belong to. */
export interface Owner {
  uid: number
  gid: number
}

export interface Limits {
  memoryBytes: number
  /** 0.5 is half of one core. */
  cpuCores: number
}

export interface LaunchRequest {
  /** The server's folder on this machine. */
  folder: string
  /** The program and its arguments. */
  command: readonly string[]
  environment: Readonly<Record<string, string>>
  limits: Limits
  /** A folder that the processes may read but not write, or null. */
  shared: string | null
  /** Of a server that runs in a container; all others are the machine's own runtime's. */
  container?: ContainerRequest | null
}

export interface ContainerRequest {
  /** At hand already: see `provide`. */
  image: string
  /** The image's own program starts the server, by the line in the variable `STARTUP`, and `command` is for everybody else. */
  startsItself: boolean
  /** What others reach of it, and at which address of this machine. */
  ports: readonly { port: number; protocol: 'tcp' | 'udp'; address: '0.0.0.0' | '127.0.0.1' }[]
}

/** An installation script, with the server's folder as `/mnt/server`; what it makes there becomes the server's. */
export interface InstallRequest {
  folder: string
  image: string
  /** The program in the image that runs the script: `bash`. */
  entrypoint: string
  script: string
  environment: Readonly<Record<string, string>>
  limits: Limits
}

export interface Run {
  /** Resolves when the last process has ended and been cleared away. Never rejects; never resolves after `forget`. */
  readonly ended: Promise<RunEnd>
  /** Sends a signal to the program itself, so that it can end in an orderly way. */
  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT'): Promise<void>
  /** Ends every process at once. Idempotent. */
  kill(): Promise<void>
  setLimits(limits: Limits): Promise<void>
  usage(): Promise<RunUsage | null>
  /** Where the kernel shows the network that its processes are in: `/proc/<pid>/net`. Null where nobody can say. */
  networkFolder(): Promise<string | null>
  /** Stops watching; the processes go on. */
  forget(): void
}

/** How a run ended. Both null: nothing of ours saw it. */
export interface RunEnd {
  code: number | null
  signal: string | null
  outOfMemory: boolean
  /** The machine was restarted since, which ended it. */
  machineRestarted: boolean
  /** The container engine went away meanwhile, which probably ended it. */
  engineRestarted?: true
}

export interface RunUsage {
  memoryBytes: number
  /** CPU time used since the start, in seconds. */
  cpuSeconds: number
  processes: number
}

/** The files of one server, all in its folder. Only `data/` belongs to the server's user; the rest is out of its reach. */
export const serverFiles = {
  spec: 'spec.json',
  record: 'run.json',
  owner: 'owner.json',
  container: 'container.json',
  status: 'status',
  log: 'console.log',
  logIndex: 'console.json',
  input: 'console.in',
  data: 'data',
  restore: 'restore',
} as const

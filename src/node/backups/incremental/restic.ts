import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import { getCACertificates, rootCertificates } from 'node:tls'
import { conflict } from '../../../contract/errors.ts'
import type { BackupStore } from '../../../contract/node-backups.ts'
import type { Secret } from '../../../lib/secret.ts'
import { toolEnvironment } from '../../runtime/launch.ts'
import { systemArguments } from '../../runtime/stage.ts'
import { complaintCharsMax, lineCharsMax, progressPerSecond, resticCores } from './limits.ts'

/** A repository and what opens it. */
export interface Repository {
  store: BackupStore
  password: Secret
  /** Where it is on this machine, with a store of kind local. */
  folder: string
  /** Where a repository elsewhere keeps its indexes. */
  cache: string
}

export interface ResticRequest {
  repository: Repository
  arguments: readonly string[]
  /** Whether the repository is written to. */
  writes: boolean
  /** A folder that it sees at `/data`, to read; or null. */
  data: string | null
  input?: Buffer
  signal: AbortSignal
}

/** Why restic gave up. Its words are for the log; `kind` is what it means. */
export class ResticFailure extends Error {
  readonly kind:
    | ('no repository' | 'wrong password' | 'full' | 'sandbox' | 'locked' | 'not found' | 'other')
    | ('no bucket' | 'wrong keys' | 'unsigned' | 'unknown authority' | 'store')
  readonly code: number | null

  constructor(code: number | null, complaints: string) {
    super(`restic ended with ${code ?? 'a signal'}: ${complaints}`)
    this.name = 'ResticFailure'
    this.code = code
    this.kind = kindOf(complaints)
  }
}

/** One run of restic. Whoever starts it reads `output` to its end or aborts. */
export interface ResticRun {
  output: Readable
  /** Rejects with a `ResticFailure` unless it ended with 0 or a code that is accepted, with the signal's reason where that ended it. */
  ended(accepted?: readonly number[]): Promise<{ code: number; complaints: string }>
}

/**
 * Starts restic in a sandbox of its own: it sees the programs of this machine, its repository and, to read, one folder; no
 * `/proc`, so that no file it is lured to holds its own secrets, which come in its environment; a network only for a store
 * elsewhere. As root it keeps the one right to read everything it sees. It ends with the node.
 */
export async function startRestic(request: ResticRequest): Promise<ResticRun> {
  const { repository, signal, input } = request
  const { store, password } = repository
  signal.throwIfAborted()
  const place =
    store.kind === 'local'
      ? { RESTIC_REPOSITORY: insideRepository }
      : {
          RESTIC_REPOSITORY: `s3:${store.endpoint.replace(/\/$/, '')}/${store.bucket}/${store.key}`,
          AWS_ACCESS_KEY_ID: store.accessKeyId,
          AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
          AWS_DEFAULT_REGION: store.region,
        }
  const authorities = store.kind === 's3' ? ownAuthorities() : ''
  const child = spawn('bwrap', await sandboxArguments(request, authorities !== ''), {
    cwd: '/',
    env: {
      ...{
        ...toolEnvironment,
        ...place,
        RESTIC_PASSWORD: password.reveal(),
        RESTIC_PROGRESS_FPS: `${progressPerSecond}`,
      },
      ...{ GOMAXPROCS: `${resticCores}`, TMPDIR: '/tmp', HOME: '/tmp' },
      // Only then, so that what the system trusts is found as ever.
      ...(authorities !== '' && { SSL_CERT_FILE: insideAuthorities }),
    },
    stdio: ['pipe', 'pipe', 'pipe', authorities === '' ? 'ignore' : 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  })
  let complaints = ''
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    complaints = (complaints + piece).slice(0, complaintCharsMax)
  })
  child.stdin?.on('error', () => undefined).end(input)
  // Open for writing where it is a pipe at all.
  const handed = child.stdio[authoritiesDescriptor] as Writable | null
  handed?.on('error', () => undefined).end(authorities)
  const closed = once(child, 'close') as Promise<[number | null]>
  closed.catch(() => undefined)
  return {
    // It is a pipe.
    output: child.stdout as Readable,
    async ended(accepted = []) {
      const [code] = await closed.catch((error: unknown) => {
        signal.throwIfAborted()
        throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? noSandbox() : error
      })
      signal.throwIfAborted()
      if (code === 0 || (code !== null && accepted.includes(code))) return { code, complaints }
      throw new ResticFailure(code, complaints)
    },
  }
}

/** The lines of what it says, each at most so long. */
export async function* linesOf(output: Readable): AsyncGenerator<string, void, void> {
  let rest = ''
  output.setEncoding('utf8')
  for await (const piece of output as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineCharsMax) throw new Error('restic said a line that is too long')
    yield* lines
  }
  if (rest !== '') yield rest
}

/** Runs it to its end and resolves to what it said. */
export async function askRestic(request: ResticRequest): Promise<string[]> {
  const run = await startRestic(request)
  const said: string[] = []
  for await (const line of linesOf(run.output)) said.push(line)
  await run.ended()
  return said
}

const insideRepository = '/repository'
const insideCache = '/cache'
const insideAuthorities = '/authorities.pem'

/** The descriptor that the sandbox makes a file of. */
const authoritiesDescriptor = 3

/** What this process trusts beside the usual: restic reaches a store that archives reach. The system's own come from `/etc/ssl`. */
function ownAuthorities(): string {
  const usual = new Set(rootCertificates)
  return getCACertificates('default')
    .filter((certificate) => !usual.has(certificate))
    .join('\n')
}

async function sandboxArguments(request: ResticRequest, trusts: boolean): Promise<string[]> {
  const { repository, writes, data } = request
  const isLocal = repository.store.kind === 'local'
  const isRoot = process.getuid?.() === 0
  const mounts = isLocal
    ? [writes ? '--bind' : '--ro-bind', repository.folder, insideRepository]
    : ['--bind', repository.cache, insideCache]
  const authorities = trusts ? ['--ro-bind-data', `${authoritiesDescriptor}`, insideAuthorities] : []
  const network = isLocal ? ['--unshare-net'] : networkFiles.flatMap((path) => ['--ro-bind-try', path, path])
  if (isLocal) await access(repository.folder)
  return [
    // Root's right to read the files of all users ends at the border of a user namespace.
    ...(isRoot ? ['--cap-drop', 'ALL', '--cap-add', 'CAP_DAC_READ_SEARCH'] : ['--unshare-user']),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--hostname', 'pharos'],
    ...['--die-with-parent', '--new-session', ...systemArguments()],
    ...['--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache', ...network],
    ...['--dev', '/dev', '--tmpfs', '/tmp', ...mounts, ...authorities],
    ...(data === null ? [] : ['--ro-bind', data, '/data']),
    ...['--remount-ro', '/', '--chdir', data === null ? '/tmp' : '/data', '--'],
    ...['restic', ...(isLocal ? ['--no-cache'] : ['--cache-dir', insideCache, '-o', 's3.bucket-lookup=path'])],
    ...request.arguments,
  ]
}

/** What names are looked up with, and certificates checked. */
const networkFiles = [
  ...['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf', '/etc/ssl'],
  ...['/etc/ca-certificates', '/etc/pki', '/usr/local/share/ca-certificates'],
]

const noSandbox = (): Error =>
  conflict(
    'Incremental backups need bubblewrap on this node: run "apt-get install --no-install-recommends bubblewrap" there, or make a plain archive',
  )

function kindOf(complaints: string): ResticFailure['kind'] {
  for (const [pattern, kind] of kinds) if (pattern.test(complaints)) return kind
  return 'other'
}

const kinds: readonly [RegExp, ResticFailure['kind']][] = [
  [/^bwrap: /m, 'sandbox'],
  [/wrong password or no key found/i, 'wrong password'],
  [/no space left on device|disk quota exceeded/i, 'full'],
  // A store's own trouble also comes with the question whether there is a repository.
  [/bucket does not exist|no such ?bucket/i, 'no bucket'],
  [
    /access ?denied|forbidden|access key id|signature (?:we calculated|does not match)|SignatureDoesNotMatch/i,
    'wrong keys',
  ],
  [/aws-chunked|streaming-aws4/i, 'unsigned'],
  [/x509:|certificate signed by unknown authority/i, 'unknown authority'],
  [/connection refused|no such host|i\/o timeout|no route to host|connection reset|server misbehaving/i, 'store'],
  [/is there a repository at|repository does not exist|config(?: file)? does not exist/i, 'no repository'],
  [/repository is already locked|unable to create lock/i, 'locked'],
  [/not found in snapshot|no matching id found/i, 'not found'],
]

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { conflict } from '../../contract/errors.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import type { ConfineRequest, Owner, Runtime } from '../runtime.ts'
import { type Job, Outcome, type Unpacked } from './job.ts'

export interface UnpackRequest {
  job: Job
  /** An empty folder that belongs to the owner and is out of reach of everybody else. */
  folder: string
  owner: Owner | null
  /** The descriptor of a file, or the bytes as they come. */
  archive: number | AsyncIterable<Uint8Array>
  signal: AbortSignal
}

/** Memory of the process that unpacks, for names and all that Node.js needs, in MiB: half a million names fit. */
const heapMib = 512
const memoryBytes = 1024 * 1024 * 1024

/** One core decompresses while another writes. */
const cpuCores = 2

/**
 * Unpacks by a process of the server's own user that sees nothing but itself and the folder, and stops at every limit of the job.
 * Throws `conflict` with the reason where the archive is refused; what is in the folder then is of no use. Resolves only when all
 * bytes of the archive have been taken.
 */
export async function unpack(
  runtime: Pick<Runtime, 'confine'>,
  { job, folder, owner, archive, signal }: UnpackRequest,
): Promise<Unpacked> {
  const limits = { memoryBytes, cpuCores }
  const nodeOptions = [`--max-old-space-size=${heapMib}`, '--disable-warning=ExperimentalWarning']
  await using confinement = await runtime.confine({ owner, folder, program, nodeOptions, limits })
  signal.throwIfAborted()
  const [command, ...rest] = confinement.command
  const child = spawn(command, rest, {
    cwd: confinement.cwd,
    env: toolEnvironment,
    stdio: ['pipe', 'pipe', 'pipe', typeof archive === 'number' ? archive : 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  })
  const output = gather(child.stdout, outcomeCharsMax)
  const complaints = gather(child.stderr, complaintCharsMax)
  const ended = once(child, 'close')
  // What it says is read below.
  ended.catch(() => undefined)
  child.stdin?.on('error', () => undefined).end(JSON.stringify(job))
  if (typeof archive !== 'number') await feed(archive, child.stdio[3] as Writable, signal, () => child.kill('SIGKILL'))
  await ended.catch((error: unknown) => {
    signal.throwIfAborted()
    throw error
  })
  const outcome = Outcome.safeParse(parsed(output()))
  if (!outcome.success) {
    const cause = new Error(`the process that unpacks ended without a word: ${complaints()}`)
    throw Object.assign(conflict('The archive could not be unpacked: it needs too much memory or time'), { cause })
  }
  if ('refused' in outcome.data) throw conflict(outcome.data.refused)
  return outcome.data
}

/** It may go away before the end: then it says why. An archive that cannot be read any further is an error of its own. */
async function feed(
  archive: AsyncIterable<Uint8Array>,
  into: Writable,
  signal: AbortSignal,
  stop: () => void,
): Promise<void> {
  try {
    await pipeline(Readable.from(archive, { objectMode: false }), into, { signal })
  } catch (error) {
    if (goneCodes.has((error as NodeJS.ErrnoException).code ?? '')) return
    stop()
    signal.throwIfAborted()
    throw error
  }
}

const goneCodes = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'])

/** Of what it says, in characters. */
const outcomeCharsMax = 4096
const complaintCharsMax = 1000

function gather(stream: Readable | null, charsMax: number): () => string {
  let text = ''
  stream?.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(0, charsMax)
  })
  return () => text
}

/** As it is written, or the bundle that it has become part of. */
const program: ConfineRequest['program'] = import.meta.url.endsWith('.ts')
  ? {
      root: fileURLToPath(new URL('../../../', import.meta.url)),
      parts: ['package.json', 'node_modules', 'src/node/extraction'],
      main: 'src/node/extraction/main.ts',
    }
  : { root: fileURLToPath(new URL('../', import.meta.url)), parts: ['package.json', 'dist'], main: 'dist/extract.js' }

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

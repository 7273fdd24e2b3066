import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { conflict } from '../../contract/errors.ts'
import type { BackupFormat } from '../../contract/node-backups.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import type { Owner } from '../runtime.ts'
import { decompressor } from './codec.ts'

export interface UnpackOptions {
  archive: AsyncIterable<Uint8Array>
  format: BackupFormat
  /** Where it goes. */
  data: string
  owner: Owner | null
  /** Null for everything. */
  files: readonly string[] | null
  /** More than this is refused, in bytes. */
  unpackedBytesMax: number
  progress(bytes: number): void
  signal: AbortSignal
}

/** What of the unpacker's complaints is kept, in characters. */
const complaintsMax = 2_000

/**
 * Unpacks an archive over what is there. The system's `tar` does it as the server's own user, begun inside its folder: whatever
 * the archive or the folder holds, the kernel lets it touch nothing that the server could not.
 */
export async function unpack(options: UnpackOptions): Promise<void> {
  const { owner, data, files, signal, unpackedBytesMax } = options
  signal.throwIfAborted()
  const selection = files === null ? [] : ['--no-wildcards', '--', ...files]
  const child = spawn(
    'tar',
    ['--extract', '--file=-', '--no-same-owner', '--no-same-permissions', '--delay-directory-restore', ...selection],
    {
      cwd: data,
      env: { ...toolEnvironment, TAR_OPTIONS: '' },
      stdio: ['pipe', 'ignore', 'pipe'],
      ...(owner ? { uid: owner.uid, gid: owner.gid } : {}),
    },
  )
  const complaints = gather(child.stderr)
  const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>
  // Its failure is read below.
  ended.catch(() => undefined)
  const stop = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  try {
    let bytes = 0
    const counted = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
      for await (const piece of pieces) {
        bytes += piece.length
        if (bytes > unpackedBytesMax) throw conflict('The backup holds more than the server may use on disk')
        options.progress(bytes)
        yield piece
      }
    }
    const fed = pipeline(
      Readable.from(options.archive, { objectMode: false }),
      decompressor(options.format),
      counted,
      child.stdin,
      {
        signal,
      },
    )
    const [feeding] = await Promise.allSettled([fed])
    if (feeding.status === 'rejected' && !closedEarly(feeding.reason)) {
      stop()
      await ended
      signal.throwIfAborted()
      throw feeding.reason
    }
    const [code] = await ended
    signal.throwIfAborted()
    if (code !== 0) throw conflict(wordsOf(complaints.text()))
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/** The unpacker has gone away first: it says why. */
const closedEarly = (error: unknown): boolean =>
  ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '')

function gather(stream: Readable): { text(): string } {
  let text = ''
  stream.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(0, complaintsMax)
  })
  return { text: () => text }
}

/** The first complaint is the cause, the others follow from it. It holds names out of the archive. */
function wordsOf(complaints: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = (complaints.split('\n')[0] ?? '').replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 300)
  const missing = /^tar: (.*): Not found in archive$/.exec(line)
  if (missing) return `The backup does not hold ${missing[1]}`
  if (line.includes('No space left')) return 'The disk of this node is full; free some space and try again'
  return `The files could not be put back: ${line.replace(/^tar: /, '') || 'tar ended without a word'}`
}

import { createWriteStream } from 'node:fs'
import { link, rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { ApiError } from '../client/index.ts'
import { readReply } from '../contract/exchange.ts'
import { newShortId } from '../lib/ids.ts'
import { CommandError } from './command.ts'
import { bytes, type Output } from './output.ts'

/** How often progress is told, in ms. */
const progressMs = 200

export interface Download {
  /** A link that carries its own permission: no key is sent. */
  url: URL
  /** Where to on this machine. */
  file: string
  /** Replace a file that is there. */
  force: boolean
  out: Output
  signal: AbortSignal
}

/** Downloads into a new file, which gets its name when it is whole. Resolves to its size in bytes. */
export async function download({ url, file, force, out, signal }: Download): Promise<number> {
  const reply = await fetch(url, { signal }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new ApiError('unreachable', `Cannot reach ${url.origin}`, { cause })
  })
  if (!reply.ok || !reply.body) {
    // Throws the refusal.
    readReply('panel', { status: reply.status, headers: reply.headers, text: await reply.text() })
    throw new CommandError(`${url.origin} sent nothing.`)
  }
  const total = Number(reply.headers.get('content-length') ?? 0)
  const partial = `${file}.${newShortId()}.part`
  let done = 0
  let told = 0
  try {
    await pipeline(
      // The two libraries declare one and the same stream differently.
      Readable.fromWeb(reply.body as ReadableStream<Uint8Array>),
      async function* (pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          done += piece.length
          if (performance.now() - told > progressMs) {
            told = performance.now()
            out.progress(total > 0 ? `${bytes(done)} of ${bytes(total)}` : bytes(done))
          }
          yield piece
        }
      },
      createWriteStream(partial, { flags: 'wx' }),
      { signal },
    )
    if (total > 0 && done !== total) throw new CommandError('The connection ended before the end. Try again.')
    if (force) await rename(partial, file)
    else await link(partial, file)
    return done
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CommandError(`${file} exists already. Choose another name, or add --force to replace it.`)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new CommandError(`${file} cannot be written: its folder does not exist.`)
    throw error
  } finally {
    out.progress(null)
    await rm(partial, { force: true })
  }
}

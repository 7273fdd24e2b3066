import { createHash } from 'node:crypto'
import { AppError, conflict } from '../../contract/errors.ts'
import { fileModeHeader, nodeFileTransfers } from '../../contract/node-files.ts'
import { contentsBytesMax } from '../../contract/text-files.ts'
import { linkDownload } from '../../http/index.ts'
import type { LiveNode } from '../nodes/index.ts'
import { fileAnswer } from './node-files.ts'

export interface Contents {
  content: string
  size: number
  hash: string
  mode: number
  modifiedAt: number
}

/** A text file as a whole. Throws `too_large` with its size, and `conflict` for what is no text. */
export async function readContents(
  node: LiveNode,
  server: string,
  path: string,
  signal: AbortSignal,
): Promise<Contents> {
  const reply = await fileAnswer(
    node.name,
    linkDownload(node.link, nodeFileTransfers.readFile, { params: { server }, query: { path } }, { signal }),
  )
  const size = Number(reply.header('content-length'))
  if (!(size <= contentsBytesMax)) {
    reply.content.destroy()
    throw new AppError(
      'too_large',
      `${JSON.stringify(path)} has ${size} bytes; up to ${contentsBytesMax} are shown as text. Download it instead.`,
    )
  }
  const bytes = await fileAnswer(node.name, gather(reply.content, size))
  return {
    content: textOf(bytes, path),
    size: bytes.length,
    hash: createHash('sha256').update(bytes).digest('hex'),
    mode: Number.parseInt(reply.header(fileModeHeader) ?? '644', 8) & 0o777,
    modifiedAt: Date.parse(reply.header('last-modified') ?? '') || 0,
  }
}

async function gather(content: AsyncIterable<Buffer>, size: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let got = 0
  for await (const chunk of content) {
    got += chunk.length
    // A node is not believed to keep to what it announced.
    if (got > size) throw new Error('The node sent more than it announced')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Buffer, path: string): string {
  try {
    if (!bytes.includes(0)) return utf8.decode(bytes)
  } catch {
    // Not UTF-8: no text that could be given back unchanged.
  }
  throw conflict(`${JSON.stringify(path)} is not text in UTF-8. Download it instead.`)
}

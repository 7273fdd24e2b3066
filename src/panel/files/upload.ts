import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import busboy from 'busboy'
import { AppError, invalidRequest } from '../../contract/errors.ts'
import { nodeFileTransfers } from '../../contract/node-files.ts'
import { linkUpload } from '../../http/index.ts'
import type { Ticket } from '../access/index.ts'
import type { LiveNode } from '../nodes/index.ts'
import { formFilesMax } from './limits.ts'
import { fileAnswer } from './node-files.ts'

export interface Upload {
  ticket: Ticket
  /** The name in the query, for a raw body. */
  file: string | undefined
  overwrite: 'true' | 'false'
  /** Tells contents under one name apart. */
  contentKey?: string | undefined
  header(name: string): string | undefined
  content: AsyncIterable<Uint8Array>
  signal: AbortSignal
}

export interface Uploaded {
  file: string
  received: number
  complete: boolean
}

/** Streams what is uploaded to the node as it comes, so that its size does not matter here. */
export async function receiveUpload(node: LiveNode, upload: Upload): Promise<Uploaded[]> {
  const type = upload.header('content-type') ?? ''
  if (/^multipart\/form-data\s*;/i.test(type)) return receiveForm(node, upload, type)
  if (upload.file === undefined)
    throw invalidRequest('query.file', 'is missing', 'the name of the file, or a body of multipart/form-data')
  const range = parseContentRange(upload.header('content-range'))
  const length = Number(upload.header('content-length') ?? Number.NaN)
  if (range && 'first' in range && Number.isSafeInteger(length) && length !== range.last - range.first + 1)
    throw invalidRequest('headers.content-range', `names ${range.last - range.first + 1} bytes, but ${length} are sent`)
  return [await send(node, upload, upload.file, range, upload.content, length)]
}

async function send(
  node: LiveNode,
  { ticket, overwrite, contentKey = '', signal }: Upload,
  file: string,
  range: ContentRange | null,
  content: AsyncIterable<Uint8Array>,
  length = Number.NaN,
): Promise<Uploaded> {
  const directory = (ticket.subject['directory'] ?? '/').replace(/\/$/, '')
  const path = `${directory}/${file}`
  // The same person may go on with another ticket; nobody else can, and nobody with another content.
  const upload = createHash('sha256').update(`${ticket.userId}\0${path}\0${contentKey}`).digest('hex')
  const total = range?.total
  const done = await fileAnswer(
    node.name,
    linkUpload(
      node.link,
      nodeFileTransfers.uploadPart,
      {
        params: { server: ticket.serverId, upload },
        query: {
          path,
          offset: range && 'first' in range ? range.first : 0,
          overwrite,
          ...(total === undefined ? {} : { total }),
        },
      },
      { signal, content, headers: { 'content-length': Number.isSafeInteger(length) ? String(length) : undefined } },
    ),
  )
  return { file: path.startsWith('/') ? path : `/${path}`, ...done }
}

type ContentRange = { first: number; last: number; total: number } | { total: number }

/** `bytes 0-99/1000` of a part, or `bytes *​/1000` that asks how much is there. */
function parseContentRange(header: string | undefined): ContentRange | null {
  if (header === undefined) return null
  const match = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15})$/.exec(header.trim())
  if (!match) throw invalidRequest('headers.content-range', 'has the wrong form', 'bytes first-last/total')
  const total = Number(match[3])
  if (match[1] === undefined) return { total }
  const [first, last] = [Number(match[1]), Number(match[2])]
  if (first > last || last >= total)
    throw invalidRequest('headers.content-range', 'does not fit into its total', 'bytes first-last/total')
  return { first, last, total }
}

async function receiveForm(node: LiveNode, upload: Upload, type: string): Promise<Uploaded[]> {
  const headers: IncomingHttpHeaders = { 'content-type': type }
  let form: busboy.Busboy
  try {
    form = busboy({
      headers,
      defParamCharset: 'utf8',
      limits: { files: formFilesMax, fields: formFilesMax, fieldSize: 64 * 1024 },
    })
  } catch {
    throw invalidRequest('headers.content-type', 'has no boundary', 'multipart/form-data; boundary=…')
  }
  const sent: Promise<Uploaded>[] = []
  const failed = new AbortController()
  form.on('file', (_field, stream, { filename }) => {
    const sending = filename
      ? send(node, upload, filename, null, stream)
      : Promise.reject(invalidRequest('body', 'has a file without a name'))
    sending.catch((error: unknown) => {
      failed.abort(error)
      stream.resume()
    })
    sent.push(sending)
  })
  form.on('filesLimit', () => failed.abort(invalidRequest('body', `has more than ${formFilesMax} files`)))
  try {
    await pipeline(Readable.from(upload.content, { objectMode: false }), form, { signal: failed.signal })
  } catch (error) {
    await Promise.allSettled(sent)
    if (failed.signal.aborted) throw failed.signal.reason
    throw error instanceof AppError ? error : invalidRequest('body', 'is not valid multipart/form-data')
  }
  const files = await Promise.all(sent)
  if (files.length === 0) throw invalidRequest('body', 'has no file')
  return files
}

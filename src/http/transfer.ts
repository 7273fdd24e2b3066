import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { FastifyReply } from 'fastify'
import { replyBody } from '../contract/exchange.ts'
import { replySchema } from '../contract/exchange-schemas.ts'
import type { Contexts, Download, Outgoing, Transfer, Upload } from '../contract/operation.ts'
import { transferIdleMs } from './limits.ts'
import { type Binding, pathPattern, receiver } from './route.ts'
import { serialiser } from './serialise.ts'

/** Makes the route of one transfer. Its caller is admitted before a byte of a body is asked for. */
export function bindTransfer<C extends Contexts>(
  binding: Binding<C>,
  transfer: Transfer,
  handle: (input: never) => unknown,
): void {
  if ('takes' in transfer) bindUpload(binding, transfer, handle)
  else bindDownload(binding, transfer, handle)
}

function bindUpload<C extends Contexts>(binding: Binding<C>, upload: Upload, handle: (input: never) => unknown): void {
  const { family } = upload
  const receive = receiver(binding, upload)
  const serialise = serialiser(replySchema(family, upload.reply))
  binding.scope.route({
    method: upload.method,
    url: pathPattern(upload.path),
    config: { family },
    handler: async (request, reply) => {
      const input = await receive(request, reply)
      if (request.raw.headers.expect !== undefined) reply.raw.writeContinue()
      cutOffWhenIdle(request.raw)
      // `transferPart` has checked that the handler takes exactly this.
      // A handler that stops reading must not close the connection on which its refusal is answered.
      const content = request.raw.iterator({ destroyOnReturn: false })
      const data = await handle({ ...input, content } as never)
      // What the handler left unread would be taken for the next request.
      if (!request.raw.complete) reply.header('connection', 'close')
      reply.header('content-type', 'application/json; charset=utf-8')
      return serialise(reply)(replyBody(family, data))
    },
  })
}

function bindDownload<C extends Contexts>(
  binding: Binding<C>,
  download: Download,
  handle: (input: never) => unknown,
): void {
  const receive = receiver(binding, download)
  binding.scope.route({
    method: ['GET', 'HEAD'],
    url: pathPattern(download.path),
    config: { family: download.family },
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const input = await receive(request, reply)
      // `transferPart` has checked that the handler takes exactly this and returns an `Outgoing`.
      const outgoing = (await handle(input as never)) as Outgoing
      await sendBytes(outgoing, request.raw, reply, (error) =>
        binding.log.warn({ err: error, requestId: request.id, route: request.routeOptions.url }, 'download broke off'),
      )
    },
  })
}

/** Sends what a handler has opened, and closes it whatever happens. A failure in the middle cuts the connection: a cut-off file must not look complete. */
async function sendBytes(
  { status = 200, headers, content }: Outgoing,
  request: IncomingMessage,
  reply: FastifyReply,
  failed: (error: unknown) => void,
): Promise<void> {
  reply.hijack()
  const { raw } = reply
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(status, headers)
  if (content === null || request.method === 'HEAD' || raw.destroyed) {
    if (content !== null) discardContent(content)
    raw.end()
    return
  }
  cutOffWhenIdle(request)
  try {
    if (content instanceof Readable) await pipeline(content, raw)
    else await sendPieces(content, raw)
  } catch (error) {
    // A caller that leaves is nobody's fault.
    if (!hasLeft(error, raw)) failed(error)
    raw.destroy()
  }
}

function discardContent(content: AsyncIterable<Uint8Array>): void {
  const source = content instanceof Readable ? content : Readable.from(content, { objectMode: false })
  source.on('error', () => undefined).destroy()
}

/** One piece after the other has left when the next is asked for, so that its source may fill the same buffers again. */
async function sendPieces(content: AsyncIterable<Uint8Array>, response: ServerResponse): Promise<void> {
  for await (const piece of content) await written(response, piece)
  response.end()
  await finished(response)
}

function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('The caller went away'))
    if (response.closed || response.destroyed) return onClose()
    response.once('close', onClose)
    response.write(piece, (error) => {
      response.off('close', onClose)
      if (error) reject(error)
      else resolve()
    })
  })
}

const hasLeft = (error: unknown, response: ServerResponse): boolean =>
  (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE' || (response.socket?.destroyed ?? true)

/** A stream of a link has no timer: the process at its other end has the caller's. */
function cutOffWhenIdle(request: IncomingMessage): void {
  if (typeof (request.socket as { setTimeout?: unknown }).setTimeout === 'function') request.setTimeout(transferIdleMs)
}

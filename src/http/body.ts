import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError, invalidRequest } from '../contract/errors.ts'
import { bodyTimeoutMs } from './limits.ts'

/** The client went away before its request was complete: nobody is left to answer. */
export class CallerGone extends Error {
  constructor() {
    super('The caller closed the connection before its request was complete')
    this.name = 'CallerGone'
  }
}

/**
 * The JSON value in the body, asking for it where the client waits to be asked; or undefined for an empty one, whatever its content type says. Refuses other content types,
 * more than `bytesMax` bytes (without reading further), broken JSON, and keys that could reach an object's prototype.
 */
export async function readJson(request: IncomingMessage, response: ServerResponse, bytesMax: number): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax)
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw invalidRequest('headers.content-encoding', 'is not supported', 'identity')
  if (request.headers.expect !== undefined) response.writeContinue()
  const bytes = await readBytes(request, bytesMax)
  if (bytes.length === 0) return undefined
  if (!isJson(request.headers['content-type']))
    throw invalidRequest('headers.content-type', 'is not JSON', 'application/json')
  return parse(bytes)
}

const tooLarge = (bytesMax: number): AppError =>
  new AppError('too_large', `The request body is too large: at most ${bytesMax} bytes are accepted here`)

function readBytes(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const finish = (error: Error | null): void => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
      if (error) {
        // A later 'error' would otherwise have no listener.
        request.on('error', () => undefined).pause()
        reject(error)
      } else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks))
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > bytesMax) finish(tooLarge(bytesMax))
      else chunks.push(chunk)
    }
    const onEnd = (): void => finish(null)
    const onGone = (): void => finish(new CallerGone())
    const timer = setTimeout(
      () => finish(invalidRequest('body', `did not arrive within ${bodyTimeoutMs / 1000} seconds`)),
      bodyTimeoutMs,
    )
    if (request.destroyed && !request.readableEnded) return finish(new CallerGone())
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
  })
}

function isJson(contentType: string | undefined): boolean {
  const [type = ''] = (contentType ?? '').split(';', 1)
  return /^application\/(?:[\w.+-]+\+)?json$/i.test(type.trim())
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parse(bytes: Buffer): unknown {
  let value: unknown
  let text: string
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid_request', 'The request body is not valid JSON', {
      details: [{ where: 'body', problem: 'is not valid JSON', expected: 'JSON' }],
      cause,
    })
  }
  // The key may also be written with escapes; the slow walk happens only for bodies that look like an attempt.
  if (/__proto__|\\u005f/i.test(text) && hasProtoKey(value))
    throw invalidRequest('body.__proto__', 'is not a known field')
  return value
}

/** Walks without recursion: a body can be nested a million deep. */
function hasProtoKey(root: unknown): boolean {
  const open: unknown[] = [root]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    if (Object.hasOwn(value, '__proto__')) return true
    for (const inner of Object.values(value)) open.push(inner)
  }
  return false
}

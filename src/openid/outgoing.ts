import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { CustomFetch } from 'openid-client'
import { checkedLookup } from '../http/index.ts'

/** The provider cannot be asked at this moment, or answers what no provider may. The message names no more than its host. */
export class ProviderTrouble extends Error {}

/** A `fetch` for the library that reaches no other addresses than it may, follows no redirects, and reads no more than is reasonable. */
export function outgoing(isReachable: (address: string) => boolean): CustomFetch {
  return (address, { method, headers, body, signal }) => {
    const url = new URL(address)
    const refused = (): Error =>
      new ProviderTrouble(`${url.host} is not on the public internet: only public addresses are asked`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    // An address needs no look-up, so the dialler would not be asked.
    if (isIP(host) && !isReachable(host)) return Promise.reject(refused())
    return new Promise((resolve, reject) => {
      const broken = (error: NodeJS.ErrnoException): void =>
        reject(
          error instanceof ProviderTrouble || error.name === 'AbortError'
            ? error
            : new ProviderTrouble(wordsOf(error, url.host), { cause: error }),
        )
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
        method,
        headers: { ...headers },
        agent: false,
        lookup: checkedLookup(isReachable, refused),
        ...(signal && { signal }),
      })
      request.on('error', broken)
      request.on('response', (answer) => {
        const parts: Buffer[] = []
        let bytes = 0
        answer.on('error', broken)
        answer.on('data', (part: Buffer) => {
          bytes += part.length
          parts.push(part)
          if (bytes > answerBytesMax)
            answer.destroy(new ProviderTrouble(`${url.host} answers with more than ${answerBytesMax} bytes`))
        })
        answer.on('end', () => {
          const fields = new Headers()
          for (const [name, value] of Object.entries(answer.headers))
            if (value !== undefined) fields.set(name, Array.isArray(value) ? value.join(', ') : value)
          const status = answer.statusCode ?? 500
          resolve(
            new Response(status === 204 || status === 304 ? null : Buffer.concat(parts), { status, headers: fields }),
          )
        })
      })
      request.end(
        typeof body === 'string' || body instanceof Uint8Array
          ? body
          : body === null || body === undefined
            ? undefined
            : String(body),
      )
    })
  }
}

function wordsOf({ code }: NodeJS.ErrnoException, host: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name ${host} is not known`
  if (code === 'ECONNREFUSED') return `nothing listens at ${host}`
  if (code?.includes('CERT') || code?.includes('SIGNATURE') || code?.startsWith('ERR_TLS'))
    return `the certificate of ${host} is not good: ${code}`
  return `the connection to ${host} broke off${code ? ` (${code})` : ''}`
}

/** Keys and discovery are a few KB; user info with many groups some dozens. */
const answerBytesMax = 1024 * 1024

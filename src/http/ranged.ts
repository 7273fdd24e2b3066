import type { Outgoing, RequestFacts } from '../contract/operation.ts'

/** Something of known size that can be read from any byte on. */
export interface Ranged {
  sizeBytes: number
  /** Changes whenever the bytes do, in quotes as HTTP wants it: `"1a2b"`. */
  etag: string
  /** ms since 1970. */
  modifiedAt?: number
  /** Opens it at `first`; yields exactly the bytes up to and including `last`. */
  open(first: number, last: number): AsyncIterable<Uint8Array>
  /** Called instead of `open` where no bytes are wanted. */
  discard?(): unknown
}

/** Answers a download with all of it, or with the one range that was asked for where `If-Range` still holds. Several ranges are answered with all. */
export function ranged(
  source: Ranged,
  request: Pick<RequestFacts, 'header'>,
  headers: Record<string, string>,
): Outgoing {
  const { sizeBytes, etag, modifiedAt } = source
  const common = {
    ...headers,
    'accept-ranges': 'bytes',
    etag,
    ...(modifiedAt === undefined ? {} : { 'last-modified': new Date(modifiedAt).toUTCString() }),
  }
  const ifRange = request.header('if-range')
  const holds =
    ifRange === undefined || ifRange === etag || ifRange === (common as Record<string, string>)['last-modified']
  const range = holds ? parseRange(request.header('range'), sizeBytes) : null
  if (range === 'unsatisfiable') {
    source.discard?.()
    return {
      status: 416,
      headers: { ...common, 'content-range': `bytes */${sizeBytes}`, 'content-length': '0' },
      content: null,
    }
  }
  const { first, last } = range ?? { first: 0, last: sizeBytes - 1 }
  const length = { 'content-length': String(last - first + 1) }
  if (last < first) {
    source.discard?.()
    return { headers: { ...common, ...length }, content: null }
  }
  return range === null
    ? { headers: { ...common, ...length }, content: source.open(first, last) }
    : {
        status: 206,
        headers: { ...common, ...length, 'content-range': `bytes ${first}-${last}/${sizeBytes}` },
        content: source.open(first, last),
      }
}

/** The one range in a `Range` header; null where the header is absent, broken, of another unit, or names several: RFC 9110 lets all of those be ignored. */
function parseRange(
  header: string | undefined,
  size: number,
): { first: number; last: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  if (!match) return null
  const [, from = '', to = ''] = match
  if (from === '') {
    if (to === '') return null
    const length = Math.min(Number(to), size)
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 }
  }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return null
  if (first >= size) return 'unsatisfiable'
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}

/** A `Content-Disposition` that makes a browser save under `name`, whatever letters it has: RFC 6266 with a plain spelling for old clients. */
export function attachmentHeader(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, '_').replaceAll(/["\\%]/g, '_')
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*!]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { z } from 'zod'
import type { CapturedBody } from '../../contract/api/inspection.ts'
import type { CapturedHeader, SeenBody } from '../../contract/edge-inspection.ts'

/** What is unpacked of a body, bytes: a bomb of a few KiB could become gigabytes. */
const unpackedBytesMax = 1024 * 1024

/** A captured body as people read it: unpacked, and as text where it is that. */
export async function readableBody(
  { base64, bytes, cut }: SeenBody,
  headers: readonly CapturedHeader[],
): Promise<z.input<typeof CapturedBody>> {
  const kept = Buffer.from(base64, 'base64')
  const coding = headerOf(headers, 'content-encoding')
  const unpacked = coding === null ? { content: kept, cut: false } : await unpack(kept, coding)
  const whole = !cut && unpacked?.cut === false
  const text = unpacked === null ? null : textOf(unpacked.content, headerOf(headers, 'content-type') ?? '', whole)
  return { bytes, cut, base64, text, textCut: text !== null && !whole, coding }
}

/** Null where it cannot be: it is packed in some other way, or broken from its begin. */
async function unpack(packed: Buffer, coding: string): Promise<{ content: Buffer; cut: boolean } | null> {
  const unpacker = unpackerOf(coding)
  if (!unpacker) return null
  const pieces: Buffer[] = []
  let bytes = 0
  unpacker.end(packed)
  try {
    for await (const piece of unpacker) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes >= unpackedBytesMax) return { content: Buffer.concat(pieces).subarray(0, unpackedBytesMax), cut: true }
    }
  } catch {
    // Broken, or cut in the middle: what came before tells something all the same.
    return bytes === 0 ? null : { content: Buffer.concat(pieces), cut: true }
  } finally {
    unpacker.destroy()
  }
  return { content: Buffer.concat(pieces), cut: false }
}

function unpackerOf(coding: string): Transform | null {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'deflate':
      return createInflate({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })
    case 'zstd':
      return createZstdDecompress({ finishFlush: constants.ZSTD_e_flush })
    default:
      return null
  }
}

/** Null for what is no text. */
function textOf(content: Buffer, type: string, whole: boolean): string | null {
  const charset = /;\s*charset="?([\w.:-]{1,40})/i.exec(type)?.[1] ?? 'utf-8'
  try {
    const text = new TextDecoder(charset, { fatal: true }).decode(content, { stream: !whole })
    return text.includes('\0') ? null : text
  } catch {
    return null
  }
}

const headerOf = (headers: readonly CapturedHeader[], wanted: string): string | null =>
  headers
    .find(({ name }) => name.toLowerCase() === wanted)
    ?.value.trim()
    .toLowerCase() || null

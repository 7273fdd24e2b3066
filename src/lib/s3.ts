import { S3mini, S3NetworkError, S3ServiceError } from 's3mini'
import type { Secret } from './secret.ts'

/** A bucket of an S3-compatible store, addressed by path: `https://store.example.org/bucket/key`. */
export interface S3Place {
  endpoint: string
  bucket: string
  region: string
  accessKeyId: Secret
  secretAccessKey: Secret
}

/** What went wrong with a store, in words that hold no address, key or signature. */
export class S3Failure extends Error {
  /** The HTTP status of its answer; null where none came. */
  readonly status: number | null
  constructor(message: string, status: number | null, cause: unknown) {
    super(message, { cause })
    this.name = 'S3Failure'
    this.status = status
  }
}

/** The smallest part of an upload, in bytes: S3 asks for at least 5 MiB of all parts but the last. */
const partBytesMin = 8 * 1024 * 1024

/** S3 takes at most 10,000 parts; some room is left for an estimate that was too low. */
const partsWanted = 8_000

/** Parts on their way at once: enough to fill a line with some latency, and little memory. */
const partsAtOnce = 3

/** How often one part is tried. */
const attemptsMax = 3

/** A request that has not been answered for so long will not be, in ms: a part takes a minute over 1 Mbit/s. */
const requestMs = 120_000

/** How long a presigned address works, in seconds: it is used at once. */
const presignedSeconds = 60

/**
 * Uploads bytes of unknown number as one object, holding a few parts of them in memory. When it fails or is aborted nothing
 * of it remains in the store, as far as the store can still be reached.
 * @param expectedBytes an estimate that decides how large the parts are.
 */
export async function s3Upload(
  place: S3Place,
  key: string,
  source: AsyncIterable<Uint8Array>,
  { expectedBytes, signal }: { expectedBytes: number; signal: AbortSignal },
): Promise<void> {
  const store = connect(place, signal)
  const partBytes = Math.max(partBytesMin, Math.ceil(expectedBytes / partsWanted))
  const uploadId = await words(store.getMultipartUploadId(key, 'application/octet-stream'))
  try {
    const parts: Promise<{ partNumber: number; etag: string }>[] = []
    let sending = new Set<Promise<unknown>>()
    for await (const part of inParts(source, partBytes)) {
      signal.throwIfAborted()
      if (sending.size >= partsAtOnce) await Promise.race(sending)
      const number = parts.length + 1
      const sent = retried(() => store.uploadPart(key, uploadId, part, number), signal)
      parts.push(sent)
      const tracked: Promise<unknown> = sent.then(() => sending.delete(tracked))
      // Its failure is met by the race above or by the wait below.
      tracked.catch(() => undefined)
      sending = sending.add(tracked)
    }
    const done = await Promise.all(parts)
    await words(store.completeMultipartUpload(key, uploadId, done))
  } catch (error) {
    // With a signal of its own: the upload's may be what ended it.
    await connect(place, AbortSignal.timeout(requestMs))
      .abortMultipartUpload(key, uploadId)
      .catch(() => undefined)
    throw error
  }
}

/** Opens the object's bytes from `first` to `last`, both included; all of them without these. */
export async function s3Read(
  place: S3Place,
  key: string,
  { first = 0, last, signal }: { first?: number; last?: number; signal: AbortSignal },
): Promise<AsyncIterable<Uint8Array>> {
  const url = await connect(place, signal).getPresignedUrl('GET', key, presignedSeconds)
  const all = first === 0 && last === undefined
  const reply = await words(
    fetch(url, { signal, ...(all ? {} : { headers: { range: `bytes=${first}-${last ?? ''}` } }) }),
  )
  if (reply.status !== (all ? 200 : 206) || !reply.body) {
    await reply.body?.cancel()
    throw new S3Failure(
      reply.status === 404 ? 'the store does not have it' : `the store answered ${reply.status}`,
      reply.status,
      undefined,
    )
  }
  return reply.body
}

/** Removes the object and whatever of an upload of it was left unfinished. A missing one is success. */
export async function s3Remove(place: S3Place, key: string, signal: AbortSignal): Promise<void> {
  const store = connect(place, signal)
  for (const uploadId of unfinished(await words(store.listMultipartUploads('/', '', 'GET', { prefix: key })), key))
    await words(store.abortMultipartUpload(key, uploadId))
  await words(store.deleteObject(key))
}

/** Whether the bucket is there and the keys may see it. */
export async function s3HasBucket(place: S3Place, signal: AbortSignal): Promise<boolean> {
  return words(connect(place, signal).bucketExists())
}

function connect(place: S3Place, signal: AbortSignal): S3mini {
  return new S3mini({
    endpoint: `${place.endpoint.replace(/\/$/, '')}/${place.bucket}`,
    region: place.region,
    accessKeyId: place.accessKeyId.reveal(),
    secretAccessKey: place.secretAccessKey.reveal(),
    fetch: (input, init) =>
      fetch(input, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]) }),
  })
}

async function* inParts(source: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Uint8Array, void, void> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  for await (let piece of source) {
    while (bytes + piece.length >= partBytes) {
      const room = partBytes - bytes
      yield Buffer.concat([...gathered, piece.subarray(0, room)], partBytes)
      piece = piece.subarray(room)
      gathered = []
      bytes = 0
    }
    gathered.push(piece)
    bytes += piece.length
  }
  if (bytes > 0) yield Buffer.concat(gathered, bytes)
}

async function retried<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await words(attempt())
    } catch (error) {
      signal.throwIfAborted()
      const refused = error instanceof S3Failure && error.status !== null && error.status < 500
      if (refused || tries >= attemptsMax) throw error
    }
  }
}

/** The list comes in the shape of the store's XML: one entry or several, names as the store spells them. */
function unfinished(listed: unknown, key: string): string[] {
  const result = field(listed, 'ListMultipartUploadsResult') ?? listed
  return [field(result, 'Upload') ?? []].flat().flatMap((entry: unknown) => {
    const id = field(entry, 'UploadId')
    return field(entry, 'Key') === key && typeof id === 'string' ? [id] : []
  })
}

/** The client makes some first letters small. */
function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Reflect.get(value, name) ?? Reflect.get(value, (name[0] ?? '').toLowerCase() + name.slice(1))
}

async function words<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (error instanceof S3ServiceError)
      throw new S3Failure(
        `the store answered ${error.status}${error.serviceCode ? ` (${error.serviceCode})` : ''}`,
        error.status,
        error,
      )
    if (error instanceof S3NetworkError || error instanceof TypeError)
      throw new S3Failure('the store cannot be reached', null, error)
    throw error
  }
}

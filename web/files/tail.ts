/** What of a log is shown, in bytes: thousands of lines, and still scrolls. */
const tailBytes = 512 * 1024

/** A packed log is unpacked up to here, in bytes: what small things can become must not fill the memory. */
const unpackedBytesMax = 256 * 1024 * 1024

export interface Tail {
  text: string
  /** There is more before it. */
  cut: boolean
}

/** The end of what is behind a link. Rejects when it cannot be read. */
export async function readTail(url: string, packed: boolean, signal: AbortSignal): Promise<Tail> {
  const reply = await fetch(url, { signal, ...(packed ? {} : { headers: { range: `bytes=-${tailBytes}` } }) })
  // Nothing to take the end of.
  if (reply.status === 416) return { text: '', cut: false }
  if (!reply.ok || !reply.body) throw new Error(await wordsOf(reply))
  if (packed) return lastOf(reply.body.pipeThrough(new DecompressionStream('gzip')))
  const total = Number(/\/(\d+)$/.exec(reply.headers.get('content-range') ?? '')?.[1] ?? 0)
  const { text, cut } = await lastOf(reply.body)
  return wholeLines(text, cut || total > tailBytes)
}

async function lastOf(content: ReadableStream<Uint8Array>): Promise<Tail> {
  const chunks: Uint8Array[] = []
  let kept = 0
  let seen = 0
  for (const reader = content.getReader(); ; ) {
    const { value, done } = await reader.read()
    if (done) break
    chunks.push(value)
    kept += value.length
    seen += value.length
    while (kept - (chunks[0]?.length ?? 0) >= tailBytes) kept -= chunks.shift()?.length ?? 0
    if (seen > unpackedBytesMax) {
      await reader.cancel()
      break
    }
  }
  const bytes = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer())
  return wholeLines(new TextDecoder().decode(bytes.subarray(-tailBytes)), seen > tailBytes)
}

/** The first line is a part of one where something was cut off. */
const wholeLines = (text: string, cut: boolean): Tail => ({
  text: cut ? text.slice(text.indexOf('\n') + 1) : text,
  cut,
})

async function wordsOf(reply: Response): Promise<string> {
  const said: unknown = await reply.json().catch(() => null)
  const error = typeof said === 'object' && said !== null && 'error' in said ? said.error : null
  return typeof error === 'string' ? error : `HTTP ${reply.status}`
}

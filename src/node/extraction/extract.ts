import { createReadStream } from 'node:fs'
import { decompressed } from './decoder.ts'
import { type Job, Refused, type Unpacked } from './job.ts'
import { TarReader, type TarSink } from './tar-reader.ts'
import { Target } from './target.ts'
import { unzip } from './zip.ts'

/** One read of the archive, in bytes: each costs a trip to the thread pool. */
const pieceBytes = 256 * 1024

/** Unpacks the archive open at `fd`, a file or, unless it is a zip, a pipe, into the working folder, which is empty and nobody else's. */
export async function extractArchive(job: Job, fd: number): Promise<Unpacked> {
  const target = new Target(job)
  if (job.kind === 'zip') {
    await unzip(fd, target)
    return target.end()
  }
  const source = createReadStream('', { fd, autoClose: false, highWaterMark: pieceBytes })
  const content = job.kind === 'tar' ? source : decompressed(source, job.kind)
  if (job.kind === 'gz' || job.kind === 'zst') {
    target.file(Buffer.from(job.name).toString('latin1'), { mode: 0o644, modified: null })
    for await (const chunk of content as AsyncIterable<Buffer>) target.write(chunk)
    target.endFile()
  } else {
    // A folder that comes again and again makes nothing, and compresses to nothing. Each entry may have records before it.
    const reader = new TarReader(sinkOf(target), { headersMax: 2 * job.entriesMax, tooMany: job.tooMany })
    for await (const chunk of content as AsyncIterable<Buffer>) reader.push(chunk)
    reader.end()
  }
  return target.end()
}

function sinkOf(target: Target): TarSink {
  let passedOver = false
  return {
    entry({ kind, name, target: to, ...facts }) {
      passedOver = !target.wants(name)
      if (passedOver) return
      if (kind === 'file') target.file(name, facts)
      else if (kind === 'folder') target.folder(name, facts)
      else if (kind === 'link') target.link(name, to, facts)
      else if (target.wants(to)) target.hardLink(name, to)
      else throw new Refused(`${JSON.stringify(name)} is the same file as ${JSON.stringify(to)}: restore both`)
    },
    content(bytes) {
      if (!passedOver) target.write(bytes)
    },
    end() {
      if (!passedOver) target.endFile()
    },
  }
}

import { text } from 'node:stream/consumers'
import { extractArchive, Job, Refused } from './extract.ts'

/**
 * The process that unpacks: its working folder is where to, descriptor 3 is the archive, the job comes on standard input and
 * the outcome goes to standard output. It gives up root before it reads a byte of the archive.
 */
const job = Job.parse(JSON.parse(await text(process.stdin)))
if (job.owner) {
  process.setgroups?.([])
  process.setgid?.(job.owner.gid)
  process.setuid?.(job.owner.uid)
}
process.umask(0o022)
const refuse = (error: unknown): void => {
  const why = error instanceof Refused ? error.message : `The archive is broken: ${(error as Error).message}`
  process.stdout.write(JSON.stringify({ refused: why.slice(0, 900) }), () => process.exit())
}
// A decoder may fail beside what waits for it.
process.on('uncaughtException', refuse)
await extractArchive(job, 3).then((made) => process.stdout.write(JSON.stringify(made)), refuse)

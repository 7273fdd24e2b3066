import { text } from 'node:stream/consumers'
import { extractArchive } from './extract.ts'
import { Job, Refused } from './job.ts'

/**
 * The process that unpacks: its working folder is where to, descriptor 3 is the archive, the job comes on standard input and
 * the outcome goes to standard output. Whoever starts it has given up root for it.
 */
const job = Job.parse(JSON.parse(await text(process.stdin)))
process.umask(job.faithful ? 0 : 0o022)
const refuse = (error: unknown): void => {
  process.stdout.write(JSON.stringify({ refused: wordsOf(error).slice(0, 900) }), () => process.exit())
}
// A decoder may fail beside what waits for it.
process.on('uncaughtException', refuse)
// The archive may still be coming through a pipe that nobody reads any more.
await extractArchive(job, 3).then((made) => process.stdout.write(JSON.stringify(made), () => process.exit()), refuse)

function wordsOf(error: unknown): string {
  if (error instanceof Refused) return error.message
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EDQUOT') return "The server's disk limit is reached. Delete some files, or raise the limit."
  if (code === 'ENOSPC') return 'The disk of this node is full; free some space and try again'
  return `The archive is broken: ${message}`
}

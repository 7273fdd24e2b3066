import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { CommandError } from '../command.ts'
import type { BackgroundAgent } from './background-agent.ts'
import type { BackgroundFolder } from './folder.ts'
import { isAbout, journalLinesMax, readJournal } from './journal.ts'
import { CloseBody, OpenBody } from './messages.ts'

/** A tunnel and an account have a few hundred. */
const bodyBytesMax = 65_536

const LogsQuery = z.strictObject({
  lines: z.coerce.number().pipe(z.int().min(0).max(journalLinesMax)).default(100),
  follow: z.enum(['true', 'false']).default('false'),
  tunnel: z.string().optional(),
})

/**
 * Serves the agent to commands of the same user, over a socket that nobody else can open: mode 0600 in a folder of mode 0700. Whoever calls
 * this holds the folder, so that a socket that lies there is one of an agent that was killed.
 */
export async function serveLocalApi(
  agent: BackgroundAgent,
  folder: BackgroundFolder,
  onStop: () => void,
): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    answer(agent, folder, onStop, request, response).catch((error: unknown) => refuse(response, error))
  })
  await rm(folder.socket, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(folder.socket, resolve)
  })
  // The folder has kept others out since before the socket was there.
  await chmod(folder.socket, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(
  agent: BackgroundAgent,
  folder: BackgroundFolder,
  onStop: () => void,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://agent')
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /v1/status':
      return reply(response, 200, agent.status())
    case 'POST /v1/tunnels':
      return reply(response, 200, await agent.open(OpenBody.parse(await bodyOf(request))))
    case 'POST /v1/close': {
      const { account, name } = CloseBody.parse(await bodyOf(request))
      return reply(response, 200, { closed: await agent.close(account, name) })
    }
    case 'GET /v1/logs':
      return await sendLogs(agent, folder, LogsQuery.parse(Object.fromEntries(url.searchParams)), response)
    case 'POST /v1/stop':
      response.once('close', onStop)
      return reply(response, 200, { stopping: true })
    default:
      return reply(response, 404, {
        error: 'The background agent has no such thing; it may be older than this command.',
      })
  }
}

/** One JSON value a line; with `follow` for as long as the other end listens. */
async function sendLogs(
  agent: BackgroundAgent,
  folder: BackgroundFolder,
  { lines, follow, tunnel: named }: z.output<typeof LogsQuery>,
  response: ServerResponse,
): Promise<void> {
  const tunnel = named ?? null
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  // Heard before the file is read: what happens meanwhile comes once, from one or the other.
  const meanwhile: string[] = []
  let live = false
  const stop = agent.journal.entries.on((entry) => {
    if (!isAbout(entry, tunnel)) return
    const line = `${JSON.stringify(entry)}\n`
    if (live) response.write(line)
    else meanwhile.push(line)
  })
  response.once('close', stop)
  const past = (await readJournal(folder.log, lines, tunnel)).map((entry) => `${JSON.stringify(entry)}\n`)
  for (const line of past) response.write(line)
  const unseen = meanwhile.filter((line) => !past.includes(line))
  if (follow === 'false') {
    stop()
    response.end()
    return
  }
  for (const line of unseen) response.write(line)
  live = true
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > bodyBytesMax) throw new CommandError('The request is too long.')
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString())
  } catch {
    throw new CommandError('The request is no JSON.')
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(body))
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  if (error instanceof z.ZodError) {
    const problems = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    reply(response, 400, { error: `The background agent does not understand this: ${problems.join('; ')}` })
  } else reply(response, 409, { error: error instanceof Error ? error.message : String(error) })
}

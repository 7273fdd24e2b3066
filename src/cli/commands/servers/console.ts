import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { command } from '../../command.ts'
import { printable } from '../../output.ts'
import { findServer } from './find.ts'
import { followServer } from './follow.ts'

export const serverConsole = command({
  path: 'servers console',
  summary: 'Read a server’s console, follow it, or send it a command',
  args: [
    ['<server>', 'its name or id'],
    ['[command...]', 'a line to send'],
  ],
  flags: [
    ['-f, --follow', 'go on showing lines as they come, until Ctrl-C'],
    ['--size <lines>', 'how many of the newest lines to show first, 1 to 1000'],
  ],
  examples: [
    'pharos servers console survival',
    'pharos servers console survival --follow',
    'pharos servers console survival say Hello everybody',
  ],
  handlesInterrupt: true,
  options: z.object({
    server: z.string().min(1),
    command: z.array(z.string()).default([]),
    follow: z.boolean().default(false),
    size: z.coerce.number().int().min(1).max(1000).default(100),
  }),
  async run({ server, command: words, follow, size }, { connect, out, signal }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const params = { serverId }
    // Following begins before the command is sent, so that its answer is among the lines.
    const talk = (line: string): void => out.talk(line)
    const events = follow
      ? await followServer(connection, { serverId, backlog: size }, { signal, talk, clock: systemClock })
      : null
    if (words.length > 0) {
      const { message } = await connection.client.consoleCommand({ params, body: { command: words.join(' ') } })
      if (!events) {
        out.result({ id: `servers/${serverId}`, message }, () => message)
        return
      }
    }
    if (!events) {
      const { logs } = await connection.client.consoleLog({ params, query: { size: String(size) } })
      out.result({ logs }, () => logs.map(printable).join('\n'))
      return
    }
    for await (const event of events) {
      if (event.type === 'console') for (const line of event.lines) out.event(line, () => printable(line.text))
      if (event.type === 'status') out.talk(`${event.status}${event.message ? `: ${event.message}` : ''}`)
      if (event.type === 'refused') out.talk(event.reason)
      if (event.type === 'deleted') out.talk('The server was deleted.')
    }
  },
})

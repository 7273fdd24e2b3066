import { z } from 'zod'
import { backgroundFolder } from '../../background/folder.ts'
import { journalLinesMax, readJournal } from '../../background/journal.ts'
import { LocalAgent, NoAgent } from '../../background/local-agent.ts'
import type { JournalEntry } from '../../background/messages.ts'
import { CommandError, command } from '../../command.ts'

export const showLogs = command({
  path: 'logs',
  summary: 'Show what has happened to the tunnels of the background agent',
  description:
    'Links that came and went, tunnels that opened, were refused or closed, and local services that did not answer.',
  args: [['[name]', 'of one tunnel alone']],
  flags: [
    ['-n, --lines <count>', `how many of the newest, 0 to ${journalLinesMax}`],
    ['-f, --follow', 'go on as more happens, until Ctrl-C'],
  ],
  examples: ['pharos logs', 'pharos logs web --follow', 'pharos logs --lines 1000 --json'],
  handlesInterrupt: true,
  options: z.object({
    name: z.string().min(1).optional(),
    lines: z.coerce.number().pipe(z.int().min(0).max(journalLinesMax)).default(100),
    follow: z.boolean().default(false),
  }),
  async run({ name, lines, follow }, { stateHome, out, signal }) {
    const folder = await backgroundFolder(stateHome)
    const tunnel = name ?? null
    const show = (entry: JournalEntry): void =>
      out.event(
        entry,
        () =>
          `${entry.at}  ${entry.tunnel === null || entry.text.startsWith(`${entry.tunnel}:`) ? '' : `${entry.tunnel}: `}${entry.text}`,
      )
    if (!follow) {
      for (const entry of await readJournal(folder.log, lines, tunnel)) show(entry)
      return
    }
    try {
      for await (const entry of new LocalAgent(folder).logs({ lines, follow, tunnel }, signal)) show(entry)
    } catch (error) {
      if (!(error instanceof NoAgent)) throw error
      throw new CommandError(
        'No background agent is running, so nothing can happen. "pharos open 3000 --detach" starts one.',
      )
    }
  },
})

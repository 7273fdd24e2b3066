import { z } from 'zod'
import { abuseCategories } from '../../../contract/api/abuse.ts'
import { command } from '../../command.ts'
import { facts, table } from '../../output.ts'

const list = command({
  path: 'abuse list',
  summary: 'List what people have told of tunnels; for whoever runs the installation',
  flags: [['--state <state>', 'open (the default), closed or all']],
  examples: ['pharos abuse list', 'pharos abuse list --state all --json'],
  options: z.object({ state: z.enum(['open', 'closed', 'all']).default('open') }),
  async run({ state }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.abuseReports({ query: state === 'all' ? {} : { state } })
    out.result(reply, () =>
      reply.reports.length === 0
        ? 'Nothing was reported.'
        : reply.reports
            .map((report) =>
              facts([
                ['report', report.id],
                ['at', report.createdAt],
                ['for', report.category],
                ['address', report.url],
                [
                  'workspace',
                  report.workspace === null
                    ? 'of nobody here'
                    : `${report.workspace}${report.suspended ? ' (suspended)' : ''}`,
                ],
                ['tunnel', report.tunnel],
                ['told by', report.email ?? report.address],
                ['state', report.state],
                ['note', report.note],
                ['words', report.message.replaceAll('\n', ' ')],
              ]),
            )
            .join('\n\n'),
    )
  },
})

const states = (['close', 'reopen'] as const).map((verb) =>
  command({
    path: `abuse ${verb}`,
    summary: verb === 'close' ? 'Close a report, and note what was done' : 'Open a report again',
    args: [['<report>', 'its id, as "pharos abuse list" shows it']],
    flags: [['--note <text>', 'what was done']],
    examples: [`pharos abuse ${verb} abr_4k2j9x0q1m5v7c3d${verb === 'close' ? ' --note "workspace suspended"' : ''}`],
    options: z.object({ report: z.string().min(1), note: z.string().min(1).optional() }),
    async run({ report, note }, { connect, out }) {
      const { client } = await connect()
      const state = verb === 'close' ? 'closed' : 'open'
      const changed = await client.updateAbuseReport({
        params: { report },
        body: { state, ...(note !== undefined && { note }) },
      })
      out.result(
        changed,
        () =>
          `${changed.id} is ${changed.state}. "pharos plans assign <workspace> --suspended on" suspends a workspace.`,
      )
    },
  }),
)

const report = command({
  path: 'abuse report',
  summary: 'Tell the people who run the installation of a tunnel that does harm',
  args: [['<address>', 'what the browser shows']],
  flags: [
    ['--for <category>', abuseCategories.join(', ')],
    ['--message <text>', 'what you have seen'],
  ],
  examples: ['pharos abuse report https://bank.evil.example.org/ --for phishing --message "It looks like my bank"'],
  options: z.object({ address: z.string().min(1), for: z.enum(abuseCategories), message: z.string().min(1) }),
  async run({ address, for: category, message }, { connect, out }) {
    const { client } = await connect()
    const told = await client.reportAbuse({ body: { url: address, category, message } })
    out.result(told, () => table(['report', 'state'], [[told.id, 'received']]))
  },
})

/** `abuse list|close|reopen|report` */
export const abuseCommands = [list, ...states, report]

import { z } from 'zod'
import { command } from '../../command.ts'
import { table } from '../../output.ts'

const list = command({
  path: 'edges foreign list',
  summary: 'List edges of others: what they serve, and what of their reports was set aside',
  examples: ['pharos edges foreign list', 'pharos edges foreign list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.foreignEdges()
    out.result(reply, () =>
      table(
        ['id', 'name', 'base', 'shape', 'for', 'serves', 'last seen', 'records', 'set aside', 'why'],
        reply.edges.map((edge) => [
          edge.id,
          edge.name,
          edge.base,
          edge.shape,
          edge.workspaces?.join(', ') ?? 'all',
          edge.serves.join(', ') || '-',
          edge.lastSeenAt ?? 'never',
          String(edge.accepted),
          String(edge.dropped),
          edge.lastDropped ?? '-',
        ]),
      ),
    )
  },
})

const create = command({
  path: 'edges foreign create',
  summary: 'Register an edge that speaks the published edge contract; its credential is shown once',
  args: [['<name>', 'what to call it']],
  flags: [
    ['--base <domain>', 'what the host names of its tunnels end in'],
    ['--shape <shape>', 'how they are made: hyphen (web-acme.<base>), subdomain (web.acme.<base>), flat (web.<base>)'],
    ['--address <host:port>', 'where its agents dial it; signing in from a terminal tells them'],
    ['--workspace <slug...>', 'only keys of these workspaces are good there; flat needs exactly one'],
  ],
  examples: [
    'pharos edges foreign create paris --base tunnels.example.org --address edge.example.org:443',
    'pharos edges foreign create own --base dev.acme.example --shape flat --workspace acme --json',
  ],
  options: z.object({
    name: z.string().min(1),
    base: z.string('is needed').min(1),
    shape: z.enum(['hyphen', 'subdomain', 'flat']).default('hyphen'),
    address: z.string().min(1).optional(),
    workspace: z.array(z.string().min(1)).min(1).optional(),
  }),
  async run({ workspace, address, ...input }, { connect, out }) {
    const { client } = await connect()
    const made = await client.createForeignEdge({
      body: {
        ...input,
        ...(address === undefined ? {} : { address }),
        ...(workspace === undefined ? {} : { workspaces: workspace }),
      },
    })
    out.talk('Give this to the edge, readable by its user alone; it is shown only this once:')
    out.result(made, () => settings(made))
  },
})

const renew = command({
  path: 'edges foreign renew',
  summary: 'Give such an edge a new credential; the one before stops working at once',
  args: [['<id>', 'as "pharos edges foreign list" shows it']],
  examples: ['pharos edges foreign renew fedge_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const made = await client.renewForeignEdge({ params: { edge: id } })
    out.talk('Give this to the edge, readable by its user alone; it is shown only this once:')
    out.result(made, () => settings(made))
  },
})

const remove = command({
  path: 'edges foreign delete',
  summary: 'Forget such an edge; its credential stops working at once, what it has counted stays',
  args: [['<id>', 'as "pharos edges foreign list" shows it']],
  examples: ['pharos edges foreign delete fedge_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.deleteForeignEdge({ params: { edge: id } })
    out.result(reply, () => `${reply.id} is forgotten.`)
  },
})

export const foreignEdgeCommands = [list, create, renew, remove]

/** What goes into the configuration and the environment of the edge, in its words. */
const settings = (made: { credential: string; verifyUrl: string; reportUrl: string }): string =>
  [
    `token_store: ${made.verifyUrl}`,
    'request_reporter:',
    `  webhook_url: ${made.reportUrl}`,
    '  secret_env: BEAMD_AUTH_VERIFY_SECRET',
    `BEAMD_AUTH_VERIFY_SECRET=${made.credential}`,
  ].join('\n')

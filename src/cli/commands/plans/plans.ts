import { z } from 'zod'
import type { planOperations } from '../../../contract/api/plans.ts'
import { PlanName } from '../../../contract/api/plans.ts'
import { Slug } from '../../../contract/fields.ts'
import type { ReplyData } from '../../../contract/operation.ts'
import { command, UsageError } from '../../command.ts'
import { bytes, facts, table } from '../../output.ts'

type Plan = ReplyData<(typeof planOperations)['putPlan']>

const list = command({
  path: 'plans list',
  summary: 'List the plans of workspaces, and what the tunnels of each may use',
  examples: ['pharos plans list', 'pharos plans list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.plans()
    out.result(reply, () =>
      table(
        ['plan', 'tunnels', 'connections', 'rate', 'a month', 'warning'],
        reply.plans.map((plan) => [plan.name, ...wordsOf(plan).map(([, value]) => value)]),
      ),
    )
  },
})

const show = command({
  path: 'plans show',
  summary: 'Show what the tunnels of one plan’s workspaces may use',
  args: [['<plan>', 'standard or enterprise']],
  examples: ['pharos plans show standard'],
  options: z.object({ plan: PlanName }),
  async run({ plan: name }, { connect, out }) {
    const { client } = await connect()
    const { plans } = await client.plans()
    const plan = plans.find((one) => one.name === name)
    if (!plan) throw new UsageError(`This panel has no plan "${name}".`)
    out.result(plan, () => describe(plan))
  },
})

/** A number, or `none` for no limit; sizes may have a unit: 1.5G, 500M, 64k, of 1024 each. */
const Count = z
  .string()
  .regex(/^(\d+|none)$/, 'must be a whole number, or none for no limit')
  .transform((text) => (text === 'none' ? null : Number(text)))
const units = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 } as const
const Size = z
  .string()
  .regex(/^(\d+(\.\d+)?[kmgt]?|none)$/i, 'must be bytes, with k, M, G or T where it is many, or none for no limit')
  .transform((text) => {
    const [, count, unit = ''] = /^([\d.]+)([kmgt]?)$/i.exec(text) ?? []
    // The expression lets these units through alone.
    return count === undefined ? null : Math.round(Number(count) * units[unit.toLowerCase() as keyof typeof units])
  })

const set = command({
  path: 'plans set',
  summary: 'Decide what the tunnels of a plan’s workspaces may use; felt within seconds, also by open ones',
  args: [['<plan>', 'standard or enterprise']],
  flags: [
    ['--tunnels <count>', 'names that a workspace may keep, besides its servers’ ports; none: as many as anybody may'],
    ['--connections <count>', 'visitors at one moment, on each edge; none: no limit'],
    ['--rate <bytes>', 'bytes a second in both directions together, on each edge: 10M; none: no limit'],
    ['--warning <state>', 'on or off: browsers are shown a page first, that anybody can be behind the address'],
    ['--month <bytes>', 'bytes in a calendar month (UTC), then visitors are turned away: 500G; none: no limit'],
  ],
  examples: [
    'pharos plans set standard --tunnels 20 --month 500G',
    'pharos plans set standard --rate 10M --connections 2000',
    'pharos plans set enterprise --rate none',
    'pharos plans set standard --warning on',
  ],
  options: z.object({
    plan: PlanName,
    tunnels: Count.optional(),
    connections: Count.optional(),
    rate: Size.optional(),
    month: Size.optional(),
    warning: z.enum(['on', 'off']).optional(),
  }),
  async run({ plan: name, tunnels, connections, rate, month, warning }, { connect, out }) {
    const body = {
      ...(tunnels !== undefined && { tunnels }),
      ...(connections !== undefined && { connections }),
      ...(rate !== undefined && { bytesPerSecond: rate }),
      ...(month !== undefined && { bytesPerMonth: month }),
      ...(warning && { warnsVisitors: warning === 'on' }),
    }
    if (Object.keys(body).length === 0)
      throw new UsageError('Say what to change: --tunnels, --connections, --rate, --month or --warning.')
    const { client } = await connect()
    const plan = await client.putPlan({ params: { plan: name }, body })
    out.result(plan, () => describe(plan))
  },
})

const ofWorkspace = command({
  path: 'plans of',
  summary: 'Show a workspace’s plan and whether it is suspended',
  args: [['<workspace>', 'its slug']],
  examples: ['pharos plans of acme'],
  options: z.object({ workspace: Slug }),
  async run({ workspace }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.workspacePlan({ params: { slug: workspace } })
    out.result(reply, () => describeWorkspace(reply))
  },
})

const assign = command({
  path: 'plans assign',
  summary: 'Give a workspace a plan and its rate limit, or suspend it: its keys and tunnels then stop at once',
  args: [['<workspace>', 'its slug']],
  flags: [
    ['--plan <plan>', 'standard or enterprise'],
    ['--requests <count>', 'API requests a minute for each of its keys; none: as many as the plan has'],
    ['--suspended <state>', 'on or off'],
  ],
  examples: [
    'pharos plans assign acme --plan enterprise',
    'pharos plans assign acme --plan enterprise --requests 600',
    'pharos plans assign acme --suspended on',
  ],
  options: z.object({
    workspace: Slug,
    plan: PlanName.optional(),
    requests: Count.optional(),
    suspended: z.enum(['on', 'off']).optional(),
  }),
  async run({ workspace, plan, requests, suspended }, { connect, out }) {
    const body = {
      ...(plan && { plan }),
      ...(requests !== undefined && { rateLimit: requests }),
      ...(suspended && { suspended: suspended === 'on' }),
    }
    if (Object.keys(body).length === 0) throw new UsageError('Say what to change: --plan, --requests or --suspended.')
    const { client } = await connect()
    const reply = await client.putWorkspacePlan({ params: { slug: workspace }, body })
    out.result(reply, () => describeWorkspace(reply))
  },
})

export const planCommands = [list, show, set, ofWorkspace, assign]

const noLimit = 'no limit'

const wordsOf = (plan: Plan): [name: string, value: string][] => [
  ['tunnels', plan.tunnels === null ? 'the usual' : String(plan.tunnels)],
  ['connections', plan.connections === null ? noLimit : String(plan.connections)],
  ['rate', plan.bytesPerSecond === null ? noLimit : `${bytes(plan.bytesPerSecond)}/s`],
  ['a month', plan.bytesPerMonth === null ? noLimit : bytes(plan.bytesPerMonth)],
  ['warning', plan.warnsVisitors ? 'on' : 'off'],
]

const describe = (plan: Plan): string => facts([['plan', plan.name], ...wordsOf(plan)])

const describeWorkspace = (workspace: {
  slug: string
  plan: string
  rateLimit: number | null
  suspended: boolean
}): string =>
  facts([
    ['workspace', workspace.slug],
    ['plan', workspace.plan],
    ['requests', workspace.rateLimit === null ? 'as the plan has it' : `${workspace.rateLimit} a minute for each key`],
    ['suspended', workspace.suspended ? 'yes' : 'no'],
  ])

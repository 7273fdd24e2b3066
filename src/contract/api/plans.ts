import { z } from 'zod'
import { operation } from '../operation.ts'

/** The plans that a workspace can have. */
export const planNames = ['standard', 'enterprise'] as const
export const PlanName = z.enum(planNames)

const Limit = z.int().min(1)

/** What the tunnels of one workspace may use together; null: as much as the installation can. */
const Quotas = {
  tunnels: Limit.max(1000).nullable().meta({ description: 'Names it may keep, besides its servers’ ports' }),
  connections: Limit.max(1_000_000).nullable().meta({ description: 'Visitors at one moment, on each edge' }),
  bytesPerSecond: Limit.min(1024).nullable().meta({ description: 'Both directions together, on each edge' }),
  bytesPerMonth: Limit.nullable().meta({
    description:
      'Both directions together, in a calendar month (UTC); beyond it visitors are turned away until the next one',
  }),
}

const Warning = {
  warnsVisitors: z.boolean().meta({
    description:
      'Browsers are shown a page first, once a week for each visitor, that says that anybody can be behind the address; programs, WebSockets and parts of pages pass by',
  }),
}

export const TunnelPlan = z.strictObject({ name: PlanName, ...Quotas, ...Warning }).meta({ id: 'TunnelPlan' })

const base = { family: 'control', tag: 'Instance', access: 'instance' } as const

export const planOperations = {
  plans: operation({
    ...base,
    method: 'GET',
    path: '/plans',
    summary: 'What the tunnels of each plan’s workspaces may use',
    reply: z.strictObject({ plans: z.array(TunnelPlan) }),
    errors: [],
  }),
  putPlan: operation({
    ...base,
    method: 'PUT',
    path: '/plans/{plan}',
    summary: 'Decide what the tunnels of a plan’s workspaces may use; felt within seconds, also by open ones',
    params: z.object({ plan: PlanName }),
    body: z
      .strictObject({ ...Quotas, ...Warning })
      .partial()
      .refine((body) => Object.keys(body).length > 0, 'say at least one of them'),
    reply: TunnelPlan,
    errors: [],
  }),
}

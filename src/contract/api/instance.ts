import { z } from 'zod'
import { Slug } from '../fields.ts'
import { operation } from '../operation.ts'

/** What the person who runs the installation decides about a workspace. */
export const WorkspacePlan = z
  .strictObject({
    slug: Slug,
    plan: z.enum(['standard', 'enterprise']),
    rateLimit: z.int().nullable().meta({ description: 'Requests a minute per key; null: the plan’s own' }),
    suspended: z.boolean(),
  })
  .meta({ id: 'WorkspacePlan' })

const base = { family: 'control', tag: 'Instance', access: 'instance' } as const
const OfWorkspace = z.object({ slug: Slug })

export const instanceOperations = {
  workspacePlan: operation({
    ...base,
    method: 'GET',
    path: '/workspaces/{slug}/plan',
    summary: 'A workspace’s plan and whether it is suspended',
    params: OfWorkspace,
    reply: WorkspacePlan,
    errors: ['not_found'],
  }),
  putWorkspacePlan: operation({
    ...base,
    method: 'PUT',
    path: '/workspaces/{slug}/plan',
    summary:
      'Choose its plan, its rate limit, and suspend it: keys, sockets and tunnels of a suspended workspace stop at once',
    params: OfWorkspace,
    body: z
      .strictObject({
        plan: z.enum(['standard', 'enterprise']).optional(),
        rateLimit: z.int().min(1).max(1_000_000).nullable().optional(),
        suspended: z.boolean().optional(),
      })
      .refine((body) => Object.keys(body).length > 0, 'say at least one of plan, rateLimit and suspended'),
    reply: WorkspacePlan,
    errors: ['not_found'],
  }),
}

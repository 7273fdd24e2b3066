import type { z } from 'zod'
import type { planOperations } from '../../contract/api/plans.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Plans } from './plans.ts'

export const tunnelPlanRoutes = (plans: Plans): Handlers<typeof planOperations, PanelContexts> => ({
  async plans() {
    return { plans: await plans.all() }
  },
  putPlan: ({ params, body }) => plans.put(params.plan, definedOf(body)),
})

/** Without what was not named. */
function definedOf({
  tunnels,
  connections,
  bytesPerSecond,
  bytesPerMonth,
  warnsVisitors,
}: Change): Parameters<Plans['put']>[1] {
  return {
    ...(tunnels === undefined ? {} : { tunnels }),
    ...(connections === undefined ? {} : { connections }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    ...(bytesPerMonth === undefined ? {} : { bytesPerMonth }),
    ...(warnsVisitors === undefined ? {} : { warnsVisitors }),
  }
}

type Change = z.output<typeof planOperations.putPlan.body>

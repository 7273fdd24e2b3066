import { z } from 'zod'
import { ServerSpec } from '../../contract/node.ts'
import type { Template } from '../../contract/template.ts'
import type { AllocationRow, ServerRow } from '../db/index.ts'
import { hiddenValues } from '../templates/index.ts'

export const variablesOf = (row: Pick<ServerRow, 'variables'>): Record<string, string> =>
  Variables.parse(JSON.parse(row.variables))

/** What the node shall make of the server. A port is tunnelled where no public address leads to it. */
export function specOf(
  row: ServerRow,
  template: Template,
  allocations: readonly AllocationRow[],
  publicAddress: string | null,
): ServerSpec {
  return ServerSpec.parse({
    id: row.id,
    revision: row.revision,
    name: row.name,
    // Where it may be placed is no business of the node that it is on.
    template: { ...template, placement: undefined },
    resources: { memory: row.memory, disk: row.disk, cpu: row.cpu },
    variables: { ...hiddenValues(template), ...variablesOf(row) },
    allocations: [...allocations]
      .sort((left, right) => right.primary_port - left.primary_port || left.port - right.port)
      .map(({ id, port }) => ({ id, port, tunnel: publicAddress === null })),
    restartOnCrash: row.restart_on_crash === 1,
    restartOnHang: row.restart_on_hang === 1,
    suspended: row.suspended_at !== null,
    ...(row.wake_on_connect === 1 ? { wake: { idleMinutes: row.idle_minutes } } : {}),
    ...(row.runtime === 'docker' ? { container: { image: row.image } } : {}),
    ...(row.transfer_id === null
      ? {}
      : {
          held: { transfer: row.transfer_id, why: 'it is being moved to another node; wait until that has finished' },
        }),
  } satisfies z.input<typeof ServerSpec>)
}

const Variables = z.record(z.string(), z.string())

import { z } from 'zod'

/** Of a label's name and value: short enough for a table, and no characters that mean something to a shell. */
const labelText = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

/** Labels of one node or one wish: far more than anybody tells machines apart by. */
const labelsMax = 32

/** What machines are told apart by: `{ region: 'eu', disk: 'nvme' }`. */
export const Labels = z
  .record(
    z.string().regex(labelText, 'must be letters, digits and inner . _ - alone, at most 63'),
    z.string().regex(labelText, 'must be letters, digits and inner . _ - alone, at most 63'),
  )
  .refine((labels) => Object.keys(labels).length <= labelsMax, `must have at most ${labelsMax} labels`)
  .meta({ id: 'Labels', description: 'What machines are told apart by', example: { region: 'eu' } })
export type Labels = z.output<typeof Labels>

/** Where servers may be placed: on nodes that have all of these labels. */
export const Placement = z
  .strictObject({ labels: Labels })
  .meta({ id: 'Placement', description: 'The labels that a node must have to be chosen' })
export type Placement = z.output<typeof Placement>

const Factor = z.number().min(0.1).max(100).nullable()

/**
 * How much of what a machine has may be promised to its servers: 1 is all of it, 2 twice as much, null as much as anybody asks
 * for.
 */
export const OverAllocation = z.strictObject({ memory: Factor, disk: Factor, cpu: Factor }).meta({
  id: 'OverAllocation',
  description:
    'How much of what the machine has may be promised: 1 is all of it, 1.5 half as much again, null any amount',
})
export type OverAllocation = z.output<typeof OverAllocation>

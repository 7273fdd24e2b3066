import { z } from 'zod'
import { type ErrorCode, statusOfCode } from './errors.ts'
import type { Family } from './operation.ts'

const FieldProblemSchema = z
  .strictObject({
    where: z.string().meta({ description: 'The field: `body.resources.memory`', example: 'body.label' }),
    problem: z.string().meta({ description: 'What is wrong with it', example: 'is a number' }),
    expected: z.string().optional().meta({ description: 'What it should be', example: 'string' }),
  })
  .meta({ id: 'FieldProblem' })

const codes = z.enum(Object.keys(statusOfCode) as [ErrorCode, ...ErrorCode[]])

/** The error body of each family. */
export const errorSchemas = {
  panel: z
    .object({
      success: z.literal(false),
      error: z
        .string()
        .meta({ description: 'A sentence that names the thing and the next move', example: 'Server not found' }),
    })
    .meta({ id: 'PanelError' }),
  control: z
    .object({ error: codes, message: z.string().optional(), details: z.array(FieldProblemSchema).optional() })
    .meta({ id: 'ControlError' }),
  internal: z
    .object({ error: codes, message: z.string().optional(), details: z.array(FieldProblemSchema).optional() })
    .meta({ id: 'InternalError' }),
} as const satisfies Record<Family, z.ZodType>

/** The schema of a whole success reply whose data is `data`. */
export const replySchema = (family: Family, data: z.ZodType): z.ZodType =>
  family === 'panel' ? z.object({ success: z.literal(true), data }) : data

import { z } from 'zod'
import { invalidRequest } from '../../contract/errors.ts'

/** How far the news of each edge were told. */
const Positions = z.array(z.tuple([z.string().max(100), z.string().max(100), z.int().min(0)])).max(200)

export type Positions = Map<string, { run: string; change: number }>

/** The text that a caller gets, and brings back as it is. */
export const cursorOf = (positions: Positions): string =>
  Buffer.from(JSON.stringify([...positions].map(([edgeId, { run, change }]) => [edgeId, run, change]))).toString(
    'base64url',
  )

/** @throws AppError `invalid_request` for what no answer of ours has held. */
export function positionsOf(cursor: string): Positions {
  try {
    const parsed = Positions.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    return new Map(parsed.map(([edgeId, run, change]) => [edgeId, { run, change }]))
  } catch {
    throw invalidRequest('query.cursor', 'is not the cursor of an answer', 'the cursor of the last answer, or none')
  }
}

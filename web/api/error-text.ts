import { ApiError } from '../../src/client/index.ts'

/** What went wrong, in the API's own words: they name the thing and the next move. */
export function errorText(error: unknown): string {
  if (error instanceof ApiError && error.details.length > 0) {
    const fields = error.details.map(({ where, problem }) => `${where.replace(/^body\./, '')}: ${problem}`)
    return fields.join('\n')
  }
  return error instanceof Error ? error.message : String(error)
}

/** What is wrong with one field of a form that was refused. */
export function fieldError(error: unknown, field: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined
  return error.details.find(({ where }) => where === `body.${field}` || where.startsWith(`body.${field}.`))?.problem
}

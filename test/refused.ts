import assert from 'node:assert/strict'
import { ApiError } from '../src/client/index.ts'

/** For `assert.rejects`: the API refused with this code, in these words. */
export const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ApiError, String(error))
  assert.equal(error.code, code, error.message)
  assert.match(error.message, words)
  return true
}

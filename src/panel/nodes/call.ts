import { ApiError } from '../../client/index.ts'
import { AppError, conflict } from '../../contract/errors.ts'
import { nodeWordsMax } from './limits.ts'

/**
 * Awaits one call to a node and words its failure for the person who waits: what the node refuses keeps the node's reason,
 * a broken or silent link says that the node is away, and a fault of the node's stays a fault.
 */
export async function answerOf<T>(node: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    throw wordsFor(node, cause)
  }
}

export const nodeAway = (node: string): AppError =>
  conflict(`Node ${node} is away. Try again once it is back; its servers go on without the panel.`)

/** Whether the node itself said no, rather than nothing. */
export const isRefusal = (error: unknown): error is AppError =>
  error instanceof AppError && error.cause instanceof ApiError && error.cause.code !== 'unreachable'

function wordsFor(node: string, cause: unknown): AppError | Error {
  if (!(cause instanceof ApiError) || cause.code === 'unreachable')
    return new AppError('conflict', `Node ${node} does not answer. Try again in a moment.`, { cause })
  const { code } = cause
  if (code === 'conflict') return new AppError('conflict', plainWords(cause.message), { cause })
  if (code === 'not_found')
    return new AppError('conflict', `Node ${node} does not have this server yet. Try again in a moment.`, { cause })
  return new Error(`Node ${node} failed: ${code} ${plainWords(cause.message)}`, { cause })
}

/** A node's words are as untrusted as the node. */
export function plainWords(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, nodeWordsMax)
}

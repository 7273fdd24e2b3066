import { AppError } from '../../contract/errors.ts'

/** An error of ours explains itself; of any other a person learns only that it was ours. */
export function wordsOf(error: unknown): string {
  if (error instanceof AppError) return error.message
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return fullDiskWords
  return 'Something went wrong on the node; its log says what'
}

/** Throws the error again: as `conflict` with what to do where it says that the disk is full. */
export function fullDisk(error: NodeJS.ErrnoException): never {
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT')
    throw new AppError('conflict', fullDiskWords, { cause: error })
  throw error
}

/** The text as a sentence begins. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const fullDiskWords = 'The disk of this node is full; free some space and try again'

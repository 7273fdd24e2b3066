import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { UsageError } from '../command.ts'
import { checkoutOf } from './checkout.ts'
import { labelOf } from './label.ts'

/** What a tunnel can take its name from. */
export const nameSources = ['directory', 'repository', 'branch', 'worktree'] as const
export type NameSource = (typeof nameSources)[number]

/**
 * The name that a tunnel opened in this folder takes from a source: the folder's own name, the repository's, that with the branch
 * (`shop--fix-login`), or that with the folder of the working copy. Throws a `UsageError` where there is nothing to take it from.
 */
export async function nameFrom(source: NameSource, folder: string): Promise<string> {
  const label = labelOf(...(await partsOf(source, folder)))
  if (label === null)
    throw new UsageError(
      `No name can be made from the ${source} of ${folder}. Choose one with --as: lower-case letters and digits.`,
    )
  return label
}

async function partsOf(source: NameSource, folder: string): Promise<string[]> {
  if (source === 'directory') return [basename(await realpath(folder))]
  const checkout = await checkoutOf(folder)
  if (!checkout)
    throw new UsageError(
      `${folder} is in no git repository, so a tunnel cannot take its name from the ${source}. Choose one with --as.`,
    )
  const { repository, branch, worktree } = checkout
  switch (source) {
    case 'repository':
      return [repository]
    case 'branch':
      if (branch === null)
        throw new UsageError(
          `No branch is checked out in ${folder}, so a tunnel cannot take its name from it. Choose one with --as.`,
        )
      return [repository, branch]
    case 'worktree':
      // The main working copy is usually called as the repository is.
      return worktree === repository ? [repository] : [repository, worktree]
  }
}

import type { BackupRow } from '../db/index.ts'

type Counted = Pick<BackupRow, 'id' | 'state' | 'locked' | 'replaces' | 'created_at'>

/** Whether one more backup may be made: where the limit is reached, which backup goes once the new one is ready, or why none can. */
export type Room = { replaces: string | null } | { refused: string }

/**
 * Failed backups take no room, and one that is about to be replaced does not either. Rotation takes the oldest that is ready and unlocked;
 * it goes only when its successor is there.
 */
export function roomFor(backups: readonly Counted[], limit: number, rotate: boolean): Room {
  const leaving = leavingOf(backups)
  const counted = backups.filter(({ id, state }) => state !== 'failed' && !leaving.has(id))
  if (counted.length < limit) return { replaces: null }
  const most = limit === 1 ? '1 backup' : `${limit} backups`
  if (limit === 0) return { refused: 'This server may have no backups: ask the people who run this installation.' }
  if (!rotate) return { refused: `This server may have ${most}, and has as many: delete one, or switch rotation on.` }
  const oldest = counted
    .filter(({ state, locked }) => state === 'ready' && locked === 0)
    .sort((left, right) => left.created_at - right.created_at)[0]
  if (oldest) return { replaces: oldest.id }
  return {
    refused: `This server may have ${most}, and all of them are locked or being made: unlock or delete one.`,
  }
}

/** How many of the limit are in use. */
export function usedOf(backups: readonly Counted[]): number {
  const leaving = leavingOf(backups)
  return backups.filter(({ id, state }) => state !== 'failed' && !leaving.has(id)).length
}

/** Backups that go when one that is being made is ready. */
export const leavingOf = (backups: readonly Counted[]): ReadonlySet<string> =>
  new Set(
    backups.flatMap(({ state, replaces }) =>
      (state === 'pending' || state === 'running') && replaces !== null ? [replaces] : [],
    ),
  )

export interface RestoreFacts {
  serverName: string
  backup: { name: string; createdAt: string; size: number; files: number; ignored: string }
  /** Null for everything. */
  files: readonly string[] | null
  deleteOthers: boolean
}

/** What a restore does, for the person who is about to confirm it. */
export function restoreWords({ serverName, backup, files, deleteOthers }: RestoreFacts): string {
  const made = `backup ${backup.name} of ${backup.createdAt}`
  const what =
    files === null
      ? `All ${backup.files} files of ${made} are put back into ${serverName}`
      : `${files.length === 1 ? 'One path' : `${files.length} paths`} of ${made} ${files.length === 1 ? 'is' : 'are'} put back into ${serverName}`
  const others = deleteOthers
    ? `Everything else in the server is deleted first${backup.ignored.trim() === '' ? '' : ', except what the backup left out by its patterns'}.`
    : 'Files of the same name are replaced; everything else stays.'
  return `${what}. ${others} The server cannot be started until that has ended; nothing is replaced before the whole backup has been read and checked.`
}

import type { ScheduleTask } from '../../contract/api/schedules.ts'
import { AppError, conflict, forbidden } from '../../contract/errors.ts'
import type { ServerStatus } from '../../contract/power.ts'
import type { ServerAccess } from '../access/index.ts'
import { lookAtBackupEveryMs, nodeAwayMaxMs } from './limits.ts'
import { permissionOf } from './progress.ts'
import type { SchedulesWorld } from './world.ts'

/** In whose name a run acts. */
export interface Editor {
  userId: string
  /** Null where the account is gone. */
  email: string | null
}

/**
 * What the person may do on the server at this moment, as if they sat at the panel themselves. Throws `forbidden` in words for
 * the people of the server where that is nothing, or lacks what `task` needs.
 */
export async function authorityOf(
  { access }: Pick<SchedulesWorld, 'access'>,
  { userId, email }: Editor,
  serverId: string,
  task: ScheduleTask | null,
): Promise<ServerAccess> {
  const who = email ?? 'Whoever saved this schedule'
  const held = await access.serverAccess(
    { userId, email: email ?? '', instanceAdmin: false, via: { kind: 'session', sessionId: '' } },
    serverId,
  )
  if (!held) throw forbidden(`${who} can no longer use this server. Somebody who can should save the schedule again.`)
  if (held.row.suspended_at !== null)
    throw forbidden(`${held.row.name} is suspended: its schedules do nothing until that is lifted.`)
  const needed = task && permissionOf(task)
  if (needed && !held.permissions.has(needed))
    throw forbidden(`${who} no longer holds ${needed} here. Somebody who does should save the schedule again.`)
  return held
}

/** Does what a task says; resolves when it has been accepted, the backup is ready, or the status has come. Throws what went wrong. */
export async function act(
  world: SchedulesWorld,
  held: ServerAccess,
  task: ScheduleTask,
  signal: AbortSignal,
): Promise<void> {
  // A node that was restarted, or has not yet found a panel that was, is back in a moment: that costs no nightly restart.
  if (task.kind !== 'wait') await watched(world, held.row, (status) => status !== 'unknown', nodeAwayMaxMs, signal)
  switch (task.kind) {
    case 'power':
      return world.servers.power(held, task.action)
    case 'command':
      return world.consoles.send(held.row, task.command)
    case 'backup':
      return backUp(world, held, task, signal)
    case 'wait':
      return untilStatus(world, held, task, signal)
  }
}

/** Words for a failure, for the people of the server. */
export function wordsOf(error: unknown): string {
  return error instanceof AppError ? error.message : 'Something failed on our side; the log of the panel says what.'
}

async function backUp(
  { backups, servers, clock }: Pick<SchedulesWorld, 'backups' | 'servers' | 'clock'>,
  { row }: ServerAccess,
  { name, ignored, timeoutSeconds }: Extract<ScheduleTask, { kind: 'backup' }>,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController()
  const { promise: ended, resolve } = Promise.withResolvers<true>()
  const id = await backups.create(row, { name, ignored, locked: false })
  const stop = servers.news.on((news) => {
    if (news.type === 'backup' && news.backupId === id && (news.state === 'ready' || news.state === 'failed'))
      resolve(true)
  })
  try {
    const either = AbortSignal.any([over.signal, signal])
    // It may have ended before anybody listened, or another panel may have heard of it first: looking now and then finds that.
    for (let leftMs = timeoutSeconds * 1000; ; leftMs -= lookAtBackupEveryMs) {
      const { state, message } = (await backups.one(row, id)).row
      if (state === 'ready') return
      if (state === 'failed') throw conflict(`Backup ${name} failed: ${message ?? 'the node does not say why'}`)
      if (leftMs <= 0)
        throw conflict(`Backup ${name} was not ready within ${timeoutSeconds} s and goes on. Allow it more time.`)
      await Promise.race([ended, clock.sleep(Math.min(leftMs, lookAtBackupEveryMs), either)])
    }
  } finally {
    stop()
    over.abort()
  }
}

async function untilStatus(
  world: Pick<SchedulesWorld, 'servers' | 'clock'>,
  { row }: ServerAccess,
  { until, timeoutSeconds }: Extract<ScheduleTask, { kind: 'wait' }>,
  signal: AbortSignal,
): Promise<void> {
  // A sleeping server is as stopped as one that is offline.
  const isSo = (now: ServerStatus): boolean => now === until || (until === 'offline' && now === 'sleeping')
  const status = await watched(world, row, isSo, timeoutSeconds * 1000, signal)
  if (!isSo(status))
    throw conflict(`${row.name} was not ${until} within ${timeoutSeconds} s: it is ${status}. Allow it more time.`)
}

/** Waits until the status is as wanted, or the time is over, and says what it is then. */
async function watched(
  { servers, clock }: Pick<SchedulesWorld, 'servers' | 'clock'>,
  row: ServerAccess['row'],
  wanted: (status: ServerStatus) => boolean,
  mostMs: number,
  signal: AbortSignal,
): Promise<ServerStatus> {
  const over = new AbortController()
  const { promise: seen, resolve } = Promise.withResolvers<ServerStatus>()
  const stop = servers.news.on((news) => {
    if (news.type === 'status' && news.serverId === row.id && wanted(news.status)) resolve(news.status)
  })
  try {
    const { status } = await servers.status(row)
    if (wanted(status)) return status
    const timeout = clock.sleep(mostMs, AbortSignal.any([over.signal, signal]))
    return (await Promise.race([seen, timeout])) ?? (await servers.status(row)).status
  } finally {
    stop()
    over.abort()
  }
}

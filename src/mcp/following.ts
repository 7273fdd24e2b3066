import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { ApiError } from '../client/index.ts'
import type { publicOperations } from '../contract/api/index.ts'
import type { ReplyData } from '../contract/operation.ts'
import type { ServerStatus } from '../contract/power.ts'
import { lookEveryMs } from './limits.ts'
import type { Api, Given, ToolCall } from './tool.ts'

/** How work that goes on by itself stands. */
export const outcomeSchema = z.strictObject({
  state: z.string(),
  message: z.string().nullable().meta({ description: 'What is going on or went wrong, in words' }),
  finished: z.boolean().meta({ description: 'False: it goes on' }),
  worked: z.boolean().nullable().meta({ description: 'Null while it goes on' }),
})
export type Outcome = z.output<typeof outcomeSchema>

interface Seen extends Outcome {
  percent?: number | undefined
  /** What the operation has answered with, as it is now. */
  reply?: unknown
  /** It could not be looked at. */
  unseen?: true
}

/** How the work that an operation began is looked at. */
export interface Following {
  /** One look. `before` is what was seen until now, oldest first: news of a machine may come late. */
  look(api: Api, about: { given: Given; reply: unknown; before: readonly Seen[] }, signal: AbortSignal): Promise<Seen>
  /** Where an agent sees how it went on. */
  readonly next: string
}

/**
 * Looks until it is finished or `seconds` have passed, and reports each change. Where it cannot be looked at (the key may begin it and see
 * nothing of it), that is the outcome: it has begun all the same. `reply` is what the operation has answered, as new as it is known.
 */
export async function follow(
  following: Following,
  about: { given: Given; reply: unknown },
  { api, signal, progress }: ToolCall,
  seconds: number,
): Promise<{ outcome: Outcome; reply: unknown }> {
  const began = performance.now()
  const before: Seen[] = []
  for (;;) {
    const seen = await following.look(api, { ...about, before }, signal).catch((error: unknown): Seen => {
      if (!(error instanceof ApiError) || signal.aborted) throw error
      return { state: 'unknown', message: error.message, finished: false, worked: null, unseen: true }
    })
    before.push(seen)
    const passed = Math.round((performance.now() - began) / 1000)
    const message = seen.message ? `${seen.state}: ${seen.message}` : seen.state
    progress(seen.percent === undefined ? { done: passed, message } : { done: seen.percent, total: 100, message })
    if (seen.finished || seen.unseen || performance.now() - began + lookEveryMs > seconds * 1000) {
      const { percent: _percent, unseen: _unseen, reply = about.reply, ...outcome } = seen
      return { outcome, reply }
    }
    await setTimeout(lookEveryMs, undefined, { signal })
  }
}

/** News of a node reaches the panel within moments: after so many looks what is told is how it is. */
const settledLooks = 3

/** What each operation that begins long work is followed by. */
export const followings: Partial<Record<keyof typeof publicOperations, Following>> = {
  createServer: {
    next: 'get_server shows its status.',
    look: async (api, { given, reply }, signal) => {
      const { id } = reply as ReplyData<(typeof publicOperations)['createServer']>
      const now = await look(api, id, signal)
      const { status, message, lastExit } = now
      const starts = (given.body as { start?: unknown } | undefined)?.start !== false
      const failed = status === 'install_failed' || (status === 'offline' && lastExit?.crashed === true)
      const done = status === 'running' || status === 'sleeping' || (status === 'offline' && !starts)
      return { state: status, message, reply: now, ...ended(failed ? false : done ? true : null) }
    },
  },
  power: {
    next: 'get_server shows its status, read_console what it prints.',
    look: async (api, { given, before }, signal) => {
      const { status, message, lastExit } = await look(api, serverOf(given), signal)
      const { action } = given.body as { action: string }
      // Until the node has told that something happens, the status is the one from before.
      const settled = before.length >= settledLooks || before.some(({ state }) => state !== status)
      const worked = powerWorked(action, status, settled)
      const why = worked === false && lastExit ? (message ?? `It ended with code ${lastExit.code}.`) : message
      return { state: status, message: why, ...ended(worked) }
    },
  },
  reinstall: serverBusy('installing', 'install_failed'),
  restoreBackup: serverBusy('restoring'),
  createBackup: {
    next: 'get_backup shows how far it is.',
    look: async (api, { given, reply }, signal) => {
      const { backupId } = reply as ReplyData<(typeof publicOperations)['createBackup']>
      const params = { serverId: serverOf(given), backup: backupId }
      const { state, message, progress } = await api.backup({ params }, { signal })
      const worked = state === 'ready' ? true : state === 'failed' ? false : null
      return { state, message, percent: progress.percent, ...ended(worked) }
    },
  },
  pullFile: {
    next: 'list_pulls shows how far it is.',
    look: async (api, { given, reply }, signal) => {
      const { id } = reply as ReplyData<(typeof publicOperations)['pullFile']>
      const pulls = await api.pulls({ params: { serverId: serverOf(given) } }, { signal })
      const pull = pulls.find((one) => one.id === id)
      if (!pull) return { state: 'gone', message: 'Its node no longer knows of it.', ...ended(false) }
      const { state, message, bytesDone, bytesTotal } = pull
      const percent = bytesTotal ? Math.floor((100 * bytesDone) / bytesTotal) : undefined
      return { state, message, percent, ...ended(state === 'done' ? true : state === 'failed' ? false : null) }
    },
  },
}

function powerWorked(action: string, status: ServerStatus, settled: boolean): boolean | null {
  if (action === 'stop' || action === 'kill') return status === 'offline' || status === 'install_failed' || null
  if (status === 'running' || status === 'sleeping') return action === 'start' || settled || null
  return status === 'offline' && settled ? false : null
}

/** Work during which the server has a status of its own. */
function serverBusy(busy: string, failed?: string): Following {
  return {
    next: 'get_server shows its status.',
    look: async (api, { given, before }, signal) => {
      const { status, message } = await look(api, serverOf(given), signal)
      const settled = before.length >= settledLooks || before.some(({ state }) => state === busy)
      return { state: status, message, ...ended(status === busy || !settled ? null : status !== failed) }
    },
  }
}

const ended = (worked: boolean | null): Pick<Seen, 'finished' | 'worked'> => ({ finished: worked !== null, worked })

const look = (api: Api, id: string, signal: AbortSignal) =>
  api.server({ params: { serverId: id.replace(/^servers\//, '') } }, { signal })

/** The operation has run: its path had one. */
const serverOf = ({ params }: Given): string => String(params?.serverId)

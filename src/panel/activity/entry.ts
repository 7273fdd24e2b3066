import { randomText } from '../../lib/ids.ts'
import type { ActivityRow } from '../db/index.ts'
import { textCharsMax } from './limits.ts'

/** Somebody did, or tried, something. Texts may be anything: they are cut and stored as they are, and never interpreted. */
export interface Act {
  who: {
    userId: string
    email: string | null
    /** Null where they proved nothing: somebody tried to sign in as them. */
    via: { kind: 'session' | 'token' | 'schedule' | 'sftp'; id: string } | null
  } | null
  /** The operation's name in the contract. */
  operation: string
  permission: string | null
  /** Beside the server: an id or a name. Never a body, never a secret. */
  subject: string | null
  /** The short part of its id. */
  serverId: string | null
  /** Null where the act belongs to no workspace. */
  workspaceId: string | null
  address: string | null
  userAgent: string | null
  /** The error code that it ended with; null where it was done. */
  code: string | null
}

export const rowOf = (act: Act, id: string, at: number): ActivityRow => ({
  id,
  at,
  operation: act.operation,
  permission: act.permission,
  subject: cut(act.subject),
  server_id: act.serverId,
  workspace_id: act.workspaceId,
  user_id: act.who?.userId ?? null,
  email: act.who?.email ?? null,
  via: act.who?.via?.kind ?? null,
  via_id: act.who?.via?.id ?? null,
  address: cut(act.address),
  user_agent: cut(act.userAgent),
  outcome: act.code === null ? 'done' : act.code === 'forbidden' ? 'denied' : 'failed',
  code: act.code,
})

/** Ids that sort as their entries happened; those of one millisecond in the order in which they were made. */
export class EntryIds {
  #at = 0
  #count = 0

  next(at: number): string {
    if (at > this.#at) {
      this.#at = at
      this.#count = 0
    }
    const number = this.#count++
    return `${idAt(this.#at)}${number.toString(36).padStart(countChars, '0')}${randomText(randomChars)}`
  }
}

/** Of something that is told more than once: the same each time. `key` is eight letters and digits. */
export const idOf = (at: number, key: string): string =>
  `${idAt(at)}${'0'.repeat(countChars)}${key.slice(0, randomChars).padStart(randomChars, '0')}`

/** Below every id of an entry that happened at `at` or later. */
export const idAt = (at: number): string => `act_${Math.max(0, at).toString(36).padStart(timeChars, '0')}`

export const isEntryId = (text: string): boolean => entryId.test(text)

/** Enough for times until the year 5138. */
const timeChars = 9
const countChars = 4
/** Two panels may make an id in the same millisecond. */
const randomChars = 8
const entryId = /^act_[0-9a-z]{21}$/

/** PostgreSQL's text holds no NUL. */
const cut = (text: string | null): string | null => text?.replaceAll('\u0000', '\ufffd').slice(0, textCharsMax) ?? null

import { AppError } from '../../contract/errors.ts'
import type { Declared, RequestFacts } from '../../contract/operation.ts'
import { ticketPurposes } from '../../contract/permissions.ts'
import type { ApiPart } from '../../http/index.ts'
import type { Signal } from '../../lib/signals.ts'
import type { Caller, Denial, ServerAccess, WorkspaceMembership } from '../access/index.ts'
import type { Activity } from './activity.ts'
import type { Act } from './entry.ts'

type Recorder = Pick<Activity, 'record'>
type Handle = (input: never) => unknown

/** What the panel's gate and the binding give to every handler, as far as an entry tells of it. */
interface Asked {
  caller: Caller | null
  server?: ServerAccess
  workspace?: WorkspaceMembership
  params?: Readonly<Record<string, unknown>>
  body?: unknown
  request: Pick<RequestFacts, 'address' | 'userAgent'>
}

/**
 * The same parts, whose acts are recorded: every operation and upload that is no GET, or declared as recorded, under its
 * declared name, whether it was done or failed. What else reads costs nothing. Acts of nobody known are not recorded here:
 * anybody could fill the log with them. Who signs in, or tries to, is recorded by the accounts, which know whom it is about.
 */
export function recorded(
  activity: Recorder,
  declared: Readonly<Record<string, Declared>>,
  parts: ApiPart[],
): ApiPart[] {
  const names = namesOf(declared)
  const watched = (declaration: Declared, handle: Handle): Handle => {
    const name = names.get(keyOf(declaration))
    return name === undefined || !isAct(declaration) ? handle : watchedHandle(activity, name, declaration, handle)
  }
  return parts.map(({ operations, sockets, transfers }) => ({
    operations: operations.map(({ operation, handle }) => ({ operation, handle: watched(operation, handle) })),
    sockets,
    transfers: transfers.map(({ transfer, handle }) => ({ transfer, handle: watched(transfer, handle) })),
  }))
}

/** Records what the gate refuses; what reads is not an act. The returned function ends it. */
export function recordDenials(
  activity: Recorder,
  declared: Readonly<Record<string, Declared>>,
  denied: Signal<Denial>,
): () => void {
  const names = namesOf(declared)
  return denied.on(({ caller, operation, params, permission, serverId, workspaceId, address, userAgent }) => {
    const name = names.get(keyOf(operation))
    if (name === undefined || !isAct(operation)) return
    activity.record({
      who: whoOf(caller),
      operation: name,
      permission,
      subject: subjectOf(params, undefined),
      serverId,
      workspaceId,
      address,
      userAgent: userAgent ?? null,
      code: 'forbidden',
    })
  })
}

function watchedHandle(activity: Recorder, name: string, declaration: Declared, handle: Handle): Handle {
  return async (input: never) => {
    // `Asked` is what every handler of the panel is called with.
    const asked = input as Asked
    const record = (code: Act['code'], reply: unknown): void => {
      const { caller, server, workspace, request } = asked
      if (!caller) return
      const own = caller.via.kind === 'token' ? caller.via.workspaceId : null
      activity.record({
        who: whoOf(caller),
        operation: name,
        permission: permissionOf(declaration, asked.body),
        subject: subjectOf(asked.params, reply),
        serverId: server?.row.id ?? serverIn(reply),
        workspaceId: server?.row.workspace_id ?? workspace?.id ?? own,
        address: request.address,
        userAgent: request.userAgent ?? null,
        code,
      })
    }
    try {
      const reply = await handle(input)
      record(null, reply)
      return reply
    } catch (error) {
      record(error instanceof AppError ? error.code : 'internal', undefined)
      throw error
    }
  }
}

const isAct = ({ method, recorded }: Declared): boolean => method !== 'GET' || recorded === true

/** An operation may reach the gate as a copy with another access, so identity does not tell. */
const keyOf = ({ method, path }: Pick<Declared, 'method' | 'path'>): string => `${method} ${path}`

const namesOf = (declared: Readonly<Record<string, Declared>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(declared).map(([name, declaration]) => [keyOf(declaration), name]))

/** The person and the credential that an entry names. */
export const whoOf = ({ userId, email, via }: Caller): Act['who'] => ({
  userId,
  email,
  via: { kind: via.kind, id: via.kind === 'token' ? via.tokenId : via.sessionId },
})

function permissionOf({ access }: Declared, body: unknown): string | null {
  if (typeof access === 'string') return null
  if ('workspace' in access) return access.workspace
  if ('ticket' in access) return ticketPurposes[access.ticket]
  if (typeof access.server === 'string') return access.server === 'visible' ? null : access.server
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, access.server.field) : undefined
  return typeof value === 'string' && Object.hasOwn(access.server.of, value) ? (access.server.of[value] ?? null) : null
}

/** The server that was just made, by the short part of its id. */
const serverIn = (reply: unknown): string | null => /^servers\/([0-9a-f]{8})$/.exec(idOf(reply) ?? '')?.[1] ?? null

/** What the path names beside the server; of what was just made, its id. Nothing else of a reply or a body is looked at. */
function subjectOf(params: Readonly<Record<string, unknown>> | undefined, reply: unknown): string | null {
  const named = Object.entries(params ?? {}).flatMap(([name, value]) => (name === 'serverId' ? [] : [String(value)]))
  if (named.length > 0) return named.join(' ')
  return serverIn(reply) === null ? idOf(reply) : null
}

function idOf(reply: unknown): string | null {
  if (typeof reply !== 'object' || reply === null) return null
  const names = Object.keys(reply)
  // `id`, or the short name that stands in paths, or `backupId` and the like where the document's example says so.
  const name = ['id', 'slug'].find((own) => names.includes(own)) ?? names.find((other) => /^[a-z]+Id$/.test(other))
  const id: unknown = name && Reflect.get(reply, name)
  return typeof id === 'string' ? id : null
}

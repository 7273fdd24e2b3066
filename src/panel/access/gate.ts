import { AppError, forbidden, notFound, unauthorized } from '../../contract/errors.ts'
import type { Access as AccessRule, Declared } from '../../contract/operation.ts'
import {
  type ServerPermission,
  type TicketPurpose,
  ticketPurposes,
  type WorkspacePermission,
} from '../../contract/permissions.ts'
import type { Gate, GateRequest } from '../../http/index.ts'
import { sourceOf } from '../../lib/address.ts'
import type { Rates, Taken } from '../rates/index.ts'
import type { Caller, PanelContexts, ServerAccess } from './caller.ts'
import {
  addressesMax,
  anonymousRequestsPerMinute,
  callersMax,
  failedAuthenticationsPerMinute,
  rateWindowMs,
  sessionRequestsPerMinute,
  ticketRequestsPerMinute,
} from './limits.ts'
import { accessTo } from './server-access.ts'
import { readSessionCookie, requestOrigin } from './session-cookie.ts'
import type { Credential, Membership, ServerGrant } from './store.ts'
import type { Tickets } from './tickets.ts'

type MaybePromise<T> = T | Promise<T>

export interface GateOptions {
  rates: Pick<Rates, 'limit'>
  publicOrigin: string | null
  credentialOfSecret(kind: Credential['kind'], secret: string): MaybePromise<Credential | null>
  credentialOfId(kind: Credential['kind'], id: string): MaybePromise<Credential | null>
  tickets: Tickets
  grantOf(caller: Caller, serverId: string): MaybePromise<ServerGrant | null>
  touch(credential: Credential): void
  /** Hears of every known caller who was refused with `forbidden`. */
  denied(denial: Denial): void
}

/** Somebody known tried what they may not do. */
export interface Denial {
  readonly caller: Caller
  readonly operation: Declared
  readonly params: Readonly<Record<string, string>>
  readonly permission: ServerPermission | WorkspacePermission | null
  /** The server it was about, by the short part of its id. */
  readonly serverId: string | null
  readonly workspaceId: string | null
  readonly address: string
  readonly userAgent: string | undefined
}

/** Which workspace a session means, by slug. Keys need none: they belong to one. */
export const workspaceHeader = 'x-pharos-workspace'

/**
 * Admits requests of the public API: who is it, are they asking too often, may they do this. With everything remembered it
 * answers without waiting.
 */
export function createGate(options: GateOptions): Gate<PanelContexts> {
  const { rates } = options
  const callers = rates.limit({ name: 'callers', windowMs: rateWindowMs, keysMax: callersMax, leases: true })
  const anonymous = rates.limit({ name: 'anonymous', windowMs: rateWindowMs, keysMax: addressesMax, leases: true })
  const failures = rates.limit({ name: 'failures', windowMs: rateWindowMs, keysMax: addressesMax })

  const refuseUnknown = (request: GateRequest, presented: boolean): MaybePromise<never> => {
    const address = sourceOf(request.address)
    return whenTaken(
      presented
        ? failures.take(address, failedAuthenticationsPerMinute)
        : anonymous.take(address, anonymousRequestsPerMinute),
      (taken): never => {
        if (!taken.allowed)
          throw tooMany(taken, presented ? 'refused keys from your address' : 'requests without a key')
        throw unauthorized(unauthorizedWords)
      },
    )
  }

  /** Throws what was thrown, once a refusal has been told. */
  const refuse = (
    error: unknown,
    operation: Declared,
    request: GateRequest,
    about: Pick<Denial, 'caller' | 'permission' | 'serverId' | 'workspaceId'>,
  ): never => {
    if (error instanceof AppError && error.code === 'forbidden')
      options.denied({
        ...about,
        operation,
        params: request.params,
        address: request.address,
        userAgent: request.headers['user-agent'],
      })
    throw error
  }

  const admitCredential = (
    operation: Declared,
    request: GateRequest,
    credential: Credential | null,
  ): MaybePromise<PanelContexts[keyof PanelContexts]> => {
    if (!credential) return refuseUnknown(request, true)
    const own = credential.memberships.find(({ id }) => id === credential.workspaceId)
    const limit = own ? own.keyRequestsPerMinute : sessionRequestsPerMinute
    return whenTaken(callers.take(credential.id, limit), (taken) =>
      admitTaken(operation, request, credential, own, taken),
    )
  }

  const admitTaken = (
    operation: Declared,
    request: GateRequest,
    credential: Credential,
    own: Membership | undefined,
    taken: Taken,
  ): MaybePromise<PanelContexts[keyof PanelContexts]> => {
    setLimitHeaders(request, taken)
    if (!taken.allowed) throw tooMany(taken, own ? 'requests of this key' : 'requests of this session')
    options.touch(credential)
    const caller = callerOf(credential)
    const workspaceId = own?.id ?? null
    const { access } = operation
    if (own?.suspended)
      return refuse(suspendedError(own.slug), operation, request, {
        caller,
        permission: null,
        serverId: null,
        workspaceId,
      })
    if (access === 'account') return { caller }
    if (access === 'session') {
      if (caller.via.kind === 'session') return { caller }
      const error = forbidden('An API key cannot do this. Sign in to the panel.')
      return refuse(error, operation, request, { caller, permission: null, serverId: null, workspaceId })
    }
    if (access === 'instance') {
      if (credential.instanceAdmin) return { caller }
      const error = forbidden('Only an administrator of this installation may do this')
      return refuse(error, operation, request, { caller, permission: null, serverId: null, workspaceId })
    }
    if (typeof access === 'string' || 'ticket' in access) throw notFound('Route')
    if ('workspace' in access) {
      const workspace = meantWorkspace(credential, request, own)
      try {
        return { caller, workspace: permitWorkspace(workspace, request, access.workspace) }
      } catch (error) {
        const about = { permission: access.workspace, workspaceId: workspace?.id ?? null }
        return refuse(error, operation, request, { caller, serverId: null, ...about })
      }
    }

    const serverId = shortServerId(request.params.serverId ?? '')
    const decide = (grant: ServerGrant | null): PanelContexts['server'] => {
      const permission = permissionFor(access.server, request.body)
      try {
        return { caller, server: permitServer(operation, caller, grant, serverId, permission) }
      } catch (error) {
        const about = { permission, serverId, workspaceId: grant?.row.workspace_id ?? null }
        return refuse(error, operation, request, { caller, ...about })
      }
    }
    const grant = serverId === null ? null : options.grantOf(caller, serverId)
    return grant instanceof Promise ? grant.then(decide) : decide(grant)
  }

  /** A ticket is as good as the key or session it came from: it is looked up again each time. */
  const admitTicket = async (
    operation: Declared,
    purpose: TicketPurpose,
    request: GateRequest,
  ): Promise<PanelContexts['ticket']> => {
    const presented = presentedTicket(request)
    if (presented === null) return refuseUnknown(request, false)
    const ticket = await options.tickets.read(presented, purpose)
    const credential = ticket && (await options.credentialOfId(ticket.via.kind, ticket.via.id))
    const own = credential?.memberships.find(({ id }) => id === credential.workspaceId)
    if (!ticket || credential?.userId !== ticket.userId) return refuseUnknown(request, true)
    const taken = await callers.take(ticket.id, ticketRequestsPerMinute)
    setLimitHeaders(request, taken)
    if (!taken.allowed) throw tooMany(taken, 'requests with this ticket')
    if (own?.suspended) throw suspendedError(own.slug)
    if (shortServerId(request.params.serverId ?? '') !== ticket.serverId)
      throw forbidden('This ticket is for another server. Ask for one for this server.')
    const caller = callerOf(credential)
    const grant = await options.grantOf(caller, ticket.serverId)
    const permission = ticketPurposes[purpose]
    try {
      return { caller, ticket, server: permitServer(operation, caller, grant, ticket.serverId, permission) }
    } catch (error) {
      const about = { permission, serverId: ticket.serverId, workspaceId: grant?.row.workspace_id ?? null }
      return refuse(error, operation, request, { caller, ...about })
    }
  }

  return {
    admit(operation, request) {
      if (typeof operation.access === 'object' && 'ticket' in operation.access)
        return admitTicket(operation, operation.access.ticket, request)
      if (operation.access === 'public') {
        return whenTaken(anonymous.take(sourceOf(request.address), anonymousRequestsPerMinute), (taken) => {
          if (!taken.allowed) throw tooMany(taken, 'requests without a key')
          return { caller: null }
        })
      }
      const presented = presentedSecret(operation, request, options.publicOrigin)
      if (!presented) return refuseUnknown(request, false)
      const credential = options.credentialOfSecret(presented.kind, presented.secret)
      return credential instanceof Promise
        ? credential.then((known) => admitCredential(operation, request, known))
        : admitCredential(operation, request, credential)
    },
  }
}

/** The same words whether a key never was, is revoked, has expired, or was forgotten: a guesser learns nothing. */
const unauthorizedWords =
  'The API key is missing or not valid. Send one that is as "Authorization: Bearer <key>", or sign in.'

/** At once where nobody had to be asked. */
const whenTaken = <T>(taken: MaybePromise<Taken>, then: (taken: Taken) => MaybePromise<T>): MaybePromise<T> =>
  taken instanceof Promise ? taken.then(then) : then(taken)

function setLimitHeaders(request: GateRequest, taken: Taken): void {
  request.setHeader('X-RateLimit-Limit', String(taken.limit))
  request.setHeader('X-RateLimit-Remaining', String(taken.remaining))
  request.setHeader('X-RateLimit-Reset', String(taken.resetSeconds))
}

/** Longer than any ticket of ours, which carries a path of at most 4096 bytes in base64. */
const ticketLengthMax = 16 * 1024

/** In a header, or in the query where only a link is followed. A ticket is no key and a key no ticket: each is looked for in its own place. */
function presentedTicket({ headers, query }: GateRequest): string | null {
  const [, bearer] = /^bearer +([^\s]+) *$/i.exec(headers.authorization ?? '') ?? []
  const linked: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, 'ticket') : undefined
  const text = bearer ?? linked
  return typeof text === 'string' && text !== '' && text.length <= ticketLengthMax ? text : null
}

/** Longer than any key of ours: nothing of this size needs to be hashed. */
const secretLengthMax = 512

function presentedSecret(
  operation: Declared,
  { headers, method }: GateRequest,
  publicOrigin: string | null,
): { kind: Credential['kind']; secret: string } | null {
  const { authorization } = headers
  if (authorization !== undefined) {
    const [, secret = ''] = /^bearer +([^\s]+) *$/i.exec(authorization) ?? []
    return { kind: 'token', secret: secret.length <= secretLengthMax ? secret : '' }
  }
  const cookie = readSessionCookie(headers)
  if (cookie === null || cookie.length > secretLengthMax) return null
  const origin = requestOrigin(headers, publicOrigin)
  // Reading is safe without proof: another site cannot see the reply. Acting, and a socket, need it.
  const onlyReads = method === 'GET' && !('sends' in operation)
  if (origin === 'foreign' || (origin === 'unknown' && !onlyReads))
    throw unauthorized("A session works only from the panel's own pages. Programs and other sites use an API key.")
  return { kind: 'session', secret: cookie }
}

function callerOf(credential: Credential): Caller {
  const { id, userId, email, instanceAdmin, workspaceId } = credential
  return {
    userId,
    email,
    instanceAdmin,
    via: workspaceId === null ? { kind: 'session', sessionId: id } : { kind: 'token', tokenId: id, workspaceId },
  }
}

/** A key's own workspace; a session's the one it names, or the first. */
function meantWorkspace(
  { memberships }: Credential,
  { headers }: GateRequest,
  own: Membership | undefined,
): Membership | undefined {
  const slug = headers[workspaceHeader]
  return own ?? (slug === undefined ? memberships[0] : memberships.find((one) => one.slug === slug))
}

function permitWorkspace(
  workspace: Membership | undefined,
  { headers }: GateRequest,
  permission: WorkspacePermission,
): Membership {
  const slug = headers[workspaceHeader]
  if (!workspace)
    throw forbidden(
      slug === undefined
        ? 'You belong to no workspace. Create one, or ask for an invitation.'
        : `You are not a member of a workspace called ${JSON.stringify(slug)}. GET /workspaces lists yours.`,
    )
  if (workspace.suspended) throw suspendedError(workspace.slug)
  if (!workspace.permissions.has(permission))
    throw forbidden(
      `This needs ${permission}, which your role in workspace ${workspace.slug} (${workspace.role}) does not have. Ask one of its owners.`,
    )
  return workspace
}

function permitServer(
  operation: Declared,
  caller: Caller,
  grant: ServerGrant | null,
  serverId: string | null,
  permission: ServerPermission | null,
): ServerAccess {
  const access = grant && accessTo(caller, grant)
  if (!grant || !access) throw notFound(serverId === null ? 'Server' : `Server ${serverId}`)
  if (grant.suspended)
    throw forbidden(
      `Server ${serverId} belongs to a workspace that is suspended. Ask the administrator of this installation.`,
    )
  if (permission !== null && !access.permissions.has(permission))
    throw forbidden(`This needs ${permission} on server ${serverId}, which you were not given. Ask its owner.`)
  // Whatever feature it is: looking is what remains.
  if (grant.row.suspended_at !== null && operation.method !== 'GET')
    throw forbidden(
      `${grant.row.name} is suspended: ask the people who run this installation. It can only be looked at.`,
    )
  return access
}

type ServerRule = Extract<AccessRule, { server: unknown }>['server']

/** Null where seeing the server is enough, also for a value that the body's schema is going to refuse. */
function permissionFor(rule: ServerRule, body: unknown): ServerPermission | null {
  if (rule === 'visible') return null
  if (typeof rule === 'string') return rule
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, rule.field) : undefined
  return typeof value === 'string' && Object.hasOwn(rule.of, value) ? (rule.of[value] ?? null) : null
}

/** `1a7ce997`, also of `servers/1a7ce997`; null for anything else. */
function shortServerId(param: string): string | null {
  return /^(?:servers\/)?([0-9a-f]{8})$/.exec(param)?.[1] ?? null
}

const suspendedError = (slug: string): AppError =>
  forbidden(`Workspace ${slug} is suspended. Ask the administrator of this installation.`)

const tooMany = ({ limit, resetSeconds }: Taken, what: string): AppError =>
  new AppError('rate_limited', `Too many ${what}: at most ${limit} a minute. Try again in ${resetSeconds} s.`, {
    retryAfterSeconds: resetSeconds,
  })

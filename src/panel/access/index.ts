// Who may do what. Slices get `Access` from the composition root and the contexts from the gate.

export { type Access, createAccess, type KeyIdentity, type Revoked } from './access.ts'
export type { Caller, PanelContexts, ServerAccess, WorkspaceMembership } from './caller.ts'
export type { Denial } from './gate.ts'
export type { Uses } from './last-used.ts'
export { addressesMax } from './limits.ts'
export { endedSessionCookie, requestOrigin, sessionCookie, sessionCookieName } from './session-cookie.ts'
export { openTickets, type Ticket, type Tickets } from './tickets.ts'

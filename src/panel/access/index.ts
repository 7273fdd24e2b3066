export type { Access, KeyIdentity, Revoked } from './access.ts'
export type { Caller, PanelContexts, ServerAccess, WorkspaceMembership } from './caller.ts'

import type { Role, ServerPermission, WorkspacePermission } from '../../contract/permissions.ts'
import type { ServerRow } from '../db/index.ts'
import type { Ticket } from './tickets.ts'

/** Somebody who has proved who they are. Passed explicitly to everything that checks a permission or records an act. */
export interface Caller {
  readonly userId: string
  readonly email: string
  readonly instanceAdmin: boolean
  readonly via:
    | { readonly kind: 'session'; readonly sessionId: string }
    | { readonly kind: 'token'; readonly tokenId: string; readonly workspaceId: string }
}

/** The workspace that a request is about, and what its caller is in it. */
export interface WorkspaceMembership {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly createdAt: number
  readonly role: Role
  readonly permissions: ReadonlySet<WorkspacePermission>
}

/** One server as its caller may see it. The owner, and owners and admins of its workspace, hold every permission. */
export interface ServerAccess {
  readonly row: ServerRow
  readonly isOwner: boolean
  readonly permissions: ReadonlySet<ServerPermission>
}

/** What admission proves to a handler of the panel, by the operation's `access`. */
export interface PanelContexts {
  public: { readonly caller: null }
  account: { readonly caller: Caller }
  session: { readonly caller: Caller }
  instance: { readonly caller: Caller }
  peer: { readonly caller: null }
  workspace: { readonly caller: Caller; readonly workspace: WorkspaceMembership }
  server: { readonly caller: Caller; readonly server: ServerAccess }
  ticket: { readonly caller: Caller; readonly server: ServerAccess; readonly ticket: Ticket }
}

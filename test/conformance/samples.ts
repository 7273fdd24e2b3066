import type { publicOperations } from '../../src/contract/api/index.ts'

/** What one operation is called with. `{server}`, `{key}` and the like are filled in by the test with things that exist. */
export interface Sample {
  params?: Record<string, string>
  query?: Record<string, string>
  body?: unknown
}

/** Ids that nothing has: an admitted caller gets as far as a 404 and breaks nothing for the next one. */
const nobody = 'mem_missing'

/** A well-formed request for every operation: a new operation without one does not compile. */
export const samples: Record<keyof typeof publicOperations, Sample> = {
  workspace: {},
  updateWorkspace: { body: { name: 'Renamed' } },
  workspaces: {},
  createWorkspace: { body: { name: 'Another', slug: 'another' } },
  members: {},
  updateMember: { params: { member: nobody }, body: { role: 'member' } },
  removeMember: { params: { member: nobody } },
  invitations: {},
  createInvitation: { body: { email: 'new@example.com', role: 'member' } },
  deleteInvitation: { params: { invitation: 'inv_missing' } },
  tokens: {},
  createToken: { body: { label: 'made by a test' } },
  revokeToken: { params: { id: 'tok_missing' } },
  usage: { query: { days: '7' } },
  setup: {
    body: { secret: 'wrong', email: 'x@example.com', password: 'long enough', workspace: { name: 'X', slug: 'xx' } },
  },
  signIn: { body: { email: 'nobody@example.com', password: 'not the password' } },
  signOut: {},
  sessions: {},
  endSession: { params: { session: 'ses_missing' } },
  account: {},
  changePassword: { body: { current: 'not the password', password: 'another long one' } },
  acceptInvitation: { body: { secret: 'wrong', password: 'long enough' } },
  servers: {},
  createServer: { body: { name: 'Made by a test', template: 'command', start: false } },
  server: { params: { serverId: '{server}' } },
  power: { params: { serverId: '{server}' }, body: { action: 'stop' } },
  deleteServer: { params: { serverId: '{server}' } },
  updateServer: { params: { serverId: '{server}' }, body: { name: 'Renamed' } },
  reinstall: { params: { serverId: '{server}' } },
  permissions: { params: { serverId: '{server}' } },
  consoleLog: { params: { serverId: '{server}' }, query: { size: '10' } },
  consoleCommand: { params: { serverId: '{server}' }, body: { command: 'help' } },
  allocations: { params: { serverId: '{server}' } },
  createAllocation: { params: { serverId: '{server}' }, body: { notes: 'voice' } },
  updateAllocation: { params: { serverId: '{server}', allocation: 'alloc_missing' }, body: { notes: 'map' } },
  deleteAllocation: { params: { serverId: '{server}', allocation: 'alloc_missing' } },
  makePrimary: { params: { serverId: '{server}', allocation: 'alloc_missing' } },
  changePort: { params: { serverId: '{server}', allocation: 'alloc_missing' } },
  subusers: { params: { serverId: '{server}' } },
  subuser: { params: { serverId: '{server}', subuser: 'usr_missing' } },
  createSubuser: { params: { serverId: '{server}' }, body: { userEmail: 'somebody@example.com', permissions: [] } },
  updateSubuser: { params: { serverId: '{server}', subuser: 'usr_missing' }, body: { permissions: [] } },
  deleteSubuser: { params: { serverId: '{server}', subuser: 'usr_missing' } },
  serverActivity: { params: { serverId: '{server}' }, query: { limit: '10' } },
  workspaceActivity: {},
  accountActivity: {},
  templates: {},
  template: { params: { template: 'command' } },
  tunnels: {},
  deleteTunnel: { params: { tunnel: 'tun_missing' } },
  edges: {},
  createEdge: { body: { name: 'made by a test' } },
  deleteEdge: { params: { edge: 'edg_missing' } },
  nodes: {},
  node: { params: { node: 'nod_missing' } },
  createNode: { body: { name: 'made by a test' } },
  deleteNode: { params: { node: 'nod_missing' } },
  workspacePlan: { params: { slug: 'missing' } },
  putWorkspacePlan: { params: { slug: 'missing' }, body: { plan: 'standard' } },
  openapi: {},
}

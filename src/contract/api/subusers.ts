import { z } from 'zod'
import { Email } from '../fields.ts'
import { operation } from '../operation.ts'
import { serverPermissions } from '../permissions.ts'
import { OfServer } from './servers.ts'

export const Subuser = z
  .strictObject({
    id: z.string(),
    email: z.string(),
    permissions: z.array(z.enum(serverPermissions)),
    pending: z.boolean().meta({ description: 'Invited, has not joined yet' }),
  })
  .meta({ id: 'Subuser' })

const Permissions = z.array(z.enum(serverPermissions)).max(serverPermissions.length)
const Message = z.strictObject({ message: z.string() })
const OfSubuser = OfServer.extend({ subuser: z.string() })
const base = { family: 'panel', tag: 'Subusers' } as const

export const subuserOperations = {
  subusers: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/users',
    summary: 'Who else may use the server',
    access: { server: 'users.read' },
    params: OfServer,
    reply: z.array(Subuser),
    errors: [],
  }),
  subuser: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/users/{subuser}',
    summary: 'One of them',
    access: { server: 'users.read' },
    params: OfSubuser,
    reply: Subuser,
    errors: [],
  }),
  createSubuser: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/users',
    summary:
      'Give somebody permissions; an unknown address gets an invitation by e-mail, or its link comes back, shown once. Nobody grants more than they hold',
    access: { server: 'users.create' },
    params: OfServer,
    body: z.strictObject({ userEmail: Email, permissions: Permissions }),
    reply: z.strictObject({
      message: z.string(),
      userId: z.string(),
      mailed: z.boolean().meta({ description: 'An invitation has been sent to that address' }),
      invitationUrl: z.string().nullable().meta({ description: 'The link of one that was not mailed: hand it over' }),
    }),
    errors: ['conflict'],
  }),
  updateSubuser: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/users/{subuser}',
    summary: 'Change their permissions, felt at once on open sockets; nobody changes their own',
    access: { server: 'users.update' },
    params: OfSubuser,
    body: z.strictObject({ permissions: Permissions }),
    reply: Message,
    errors: [],
  }),
  deleteSubuser: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}/users/{subuser}',
    summary: 'Take the server away from them; their open sockets end at once',
    access: { server: 'users.delete' },
    params: OfSubuser,
    reply: Message,
    errors: [],
  }),
}

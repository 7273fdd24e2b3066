import { z } from 'zod'
import { Slug, Time } from '../fields.ts'
import { operation } from '../operation.ts'

export const User = z
  .strictObject({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    createdAt: Time,
    instanceAdmin: z.boolean(),
    secondFactor: z.boolean().meta({ description: 'Signing in with the password takes a code as well' }),
    passkeys: z.int(),
    workspaces: z.array(z.strictObject({ slug: Slug, role: z.string() })),
  })
  .meta({ id: 'User' })

/** Users in one reply. */
export const usersPageMax = 100

const base = { family: 'control', tag: 'Instance', access: 'instance' } as const

export const userOperations = {
  users: operation({
    ...base,
    method: 'GET',
    path: '/users',
    summary: 'Everybody with an account on this installation, by e-mail address',
    query: z.object({
      search: z.string().trim().max(200).optional().meta({ description: 'A part of the e-mail address or the name' }),
      cursor: z.string().max(320).optional().meta({ description: '`nextCursor` of the page before' }),
    }),
    reply: z.strictObject({ users: z.array(User), nextCursor: z.string().nullable() }),
    errors: [],
  }),
  resetSecondFactor: operation({
    ...base,
    method: 'DELETE',
    path: '/users/{user}/second-factor',
    summary: 'Turn off the second factor of somebody who has lost it; they are signed out everywhere',
    description:
      'Make sure first that it is them who ask: the password alone is enough afterwards. Passkeys and API keys stay.',
    params: z.object({ user: z.string() }),
    reply: z.strictObject({ id: z.string(), secondFactor: z.literal(false) }),
    errors: ['not_found', 'conflict'],
  }),
}

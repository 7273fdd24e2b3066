import { z } from 'zod'
import { displayName, Email, Password, Slug, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { Workspace } from './workspaces.ts'

export const Account = z
  .strictObject({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    instanceAdmin: z.boolean(),
    createdAt: Time,
    workspaces: z.array(Workspace),
  })
  .meta({ id: 'Account' })

export const Session = z
  .strictObject({
    id: z.string(),
    current: z.boolean(),
    createdAt: Time,
    lastUsedAt: Time,
    expiresAt: Time,
    address: z.string(),
    userAgent: z.string().nullable(),
  })
  .meta({ id: 'Session' })

/** A 6-digit code of an authenticator app, or a recovery code; spaces and hyphens do not matter. */
export const SecondFactorCode = z
  .string()
  .min(1)
  .max(40)
  .meta({ description: 'Six digits from the authenticator app, or a recovery code', examples: ['123456'] })

/** The password was right and is not enough: `POST /sessions/second-factor` goes on with the challenge. */
export const SecondFactorNeeded = z
  .strictObject({
    secondFactor: z.strictObject({
      challenge: z.string().meta({ description: 'Good for five minutes, and for one session' }),
      expiresAt: Time,
    }),
  })
  .meta({ id: 'SecondFactorNeeded' })

const base = { family: 'control', tag: 'Account' } as const
const secretLink = z.string().min(1).max(200).meta({ description: 'The secret part of the link' })

export const accountOperations = {
  setup: operation({
    ...base,
    method: 'POST',
    path: '/setup',
    summary: 'Create the owner account and the first workspace; the one-time link makes it possible, once',
    access: 'public',
    body: z.strictObject({
      secret: secretLink,
      email: Email,
      password: Password,
      name: displayName(80).optional(),
      workspace: z.strictObject({ name: displayName(80), slug: Slug }),
    }),
    reply: Account,
    errors: ['unauthorized', 'conflict'],
  }),
  signIn: operation({
    ...base,
    method: 'POST',
    path: '/sessions',
    summary:
      'Sign in; the session is a cookie. With a second factor there is none yet, but a challenge for the second step',
    access: 'public',
    body: z.strictObject({ email: z.string().max(254), password: z.string().max(256) }),
    reply: z.union([Account, SecondFactorNeeded]),
    errors: ['unauthorized'],
  }),
  signOut: operation({
    ...base,
    method: 'DELETE',
    path: '/sessions/current',
    summary: 'End this session',
    access: 'account',
    reply: z.strictObject({ signedOut: z.literal(true) }),
    errors: ['not_found'],
  }),
  sessions: operation({
    ...base,
    method: 'GET',
    path: '/sessions',
    summary: 'Where the account is signed in',
    access: 'account',
    reply: z.strictObject({ sessions: z.array(Session) }),
    errors: [],
  }),
  endSession: operation({
    ...base,
    method: 'DELETE',
    path: '/sessions/{session}',
    summary: 'Sign out somewhere else; its open sockets end at once',
    access: 'account',
    params: z.object({ session: z.string() }),
    reply: z.strictObject({ id: z.string(), ended: z.literal(true) }),
    errors: ['not_found'],
  }),
  account: operation({
    ...base,
    method: 'GET',
    path: '/account',
    summary: 'Who the caller is',
    access: 'account',
    reply: Account,
    errors: [],
  }),
  changePassword: operation({
    ...base,
    method: 'PUT',
    path: '/account/password',
    summary: 'Change the password; every other session of the account ends',
    access: 'account',
    body: z.strictObject({ current: z.string().max(256), password: Password }),
    reply: z.strictObject({ changed: z.literal(true) }),
    errors: ['forbidden'],
  }),
  acceptInvitation: operation({
    ...base,
    method: 'POST',
    path: '/invitations/accept',
    summary:
      'Join a workspace by an invitation’s link; a new person chooses a password, a known one proves theirs, and their second factor',
    access: 'public',
    body: z.strictObject({
      secret: secretLink,
      password: Password,
      name: displayName(80).optional(),
      code: SecondFactorCode.optional(),
    }),
    reply: Account,
    errors: ['unauthorized', 'conflict'],
  }),
}

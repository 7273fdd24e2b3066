import { z } from 'zod'
import { noControls, Time } from '../fields.ts'
import { operation } from '../operation.ts'

const Label = z.string().max(80).regex(noControls, 'must not contain control characters')

export const Token = z
  .strictObject({
    id: z.string(),
    label: z.string().nullable(),
    createdAt: Time,
    lastUsedAt: Time.nullable(),
    revokedAt: Time.nullable(),
    expiresAt: Time.nullable(),
    createdBy: z.string().meta({ description: 'E-mail address of the user who made it' }),
  })
  .meta({
    id: 'Token',
    example: {
      id: 'tok_123',
      label: 'ci',
      createdAt: '2026-06-01T12:00:00.000Z',
      lastUsedAt: '2026-06-03T09:30:00.000Z',
      revokedAt: null,
      expiresAt: null,
      createdBy: 'ada@example.com',
    },
  })

export const NewToken = z
  .strictObject({
    id: z.string(),
    token: z.string().meta({ description: 'The raw key, shown once' }),
    label: z.string().nullable(),
    createdAt: Time,
    expiresAt: Time.nullable(),
  })
  .meta({ id: 'NewToken' })

const base = { family: 'control', tag: 'API keys' } as const

export const tokenOperations = {
  tokens: operation({
    ...base,
    method: 'GET',
    path: '/tokens',
    summary: 'The workspace’s API keys, newest first, revoked ones too; never their secrets',
    access: { workspace: 'tokens.read' },
    reply: z.strictObject({ tokens: z.array(Token) }),
    errors: [],
  }),
  createToken: operation({
    ...base,
    method: 'POST',
    path: '/tokens',
    summary: 'Make a key; its secret is in this reply and nowhere else',
    access: { workspace: 'tokens.create' },
    body: z.strictObject({ label: Label.nullish(), expiresAt: Time.nullish() }).optional(),
    reply: NewToken,
    errors: ['conflict'],
  }),
  revokeToken: operation({
    ...base,
    method: 'DELETE',
    path: '/tokens/{id}',
    summary: 'Revoke a key, at once and everywhere: requests, sockets and tunnels of it end. A key may revoke itself',
    access: { workspace: 'tokens.revoke' },
    params: z.object({ id: z.string() }),
    reply: z.strictObject({ id: z.string(), revoked: z.literal(true) }),
    errors: ['not_found'],
  }),
}

import { z } from 'zod'
import { displayName, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { roles } from '../permissions.ts'

/**
 * Signing in from a terminal: RFC 8628 in the shape of the published edge contract, so that its command line signs in here like
 * ours. The first two routes are the terminal's, and speak as that contract does; the others are for the person.
 */

/** A workspace that a key reaches, as the edge contract calls it. */
export const Scope = z.strictObject({ slug: z.string(), role: z.enum(roles) })

/** As typed: case, spaces and hyphens mean nothing. */
const UserCode = z
  .string()
  .min(1)
  .max(40)
  .meta({ description: 'What the terminal shows: `BCDF-GHJK`', example: 'BCDF-GHJK' })

export const DeviceSignIn = z
  .strictObject({
    client: z.string().nullable().meta({ description: 'What the program that asks calls itself: not to be trusted' }),
    address: z.string().meta({ description: 'From where it asked: an IP address' }),
    sameAddress: z.boolean().meta({ description: 'You ask from the same address' }),
    createdAt: Time,
    expiresAt: Time,
  })
  .meta({ id: 'DeviceSignIn' })

/** Why there is no key: the words of RFC 8628. */
const deviceErrors = ['authorization_pending', 'slow_down', 'access_denied', 'expired_token'] as const

const base = { family: 'control', tag: 'Terminals' } as const

export const deviceOperations = {
  beginDeviceSignIn: operation({
    ...base,
    method: 'POST',
    path: '/device/code',
    summary: 'Begin to sign in from a terminal: a code for the program, and one for the person',
    access: 'public',
    body: z
      .strictObject({
        client: displayName(80).optional().meta({ description: 'What asks: `pharos on laptop`. The person sees it' }),
      })
      .optional(),
    reply: z.strictObject({
      device_code: z.string().meta({ description: 'For the program alone, which polls with it' }),
      user_code: z.string().meta({ description: 'For the person, who types it in at `verification_uri`' }),
      verification_uri: z.string(),
      expires_in: z.int().meta({ description: 'Seconds' }),
      interval: z.int().meta({ description: 'Seconds to wait between two polls, at least' }),
    }),
    errors: [],
  }),
  pollDeviceSignIn: operation({
    ...base,
    method: 'POST',
    path: '/device/token',
    summary:
      'The key, once the person has approved; until then why there is none. Always status 200, as the edge contract has it',
    access: 'public',
    body: z.strictObject({ device_code: z.string().min(1).max(512) }),
    reply: z.union([
      z.strictObject({ error: z.enum(deviceErrors) }),
      z.strictObject({
        access_token: z.string().meta({ description: 'An API key, handed out this once' }),
        edge: z
          .string()
          .meta({ description: 'Where agents of the edge contract dial: `edge.example.org:443`, or empty' }),
        scopes: z.array(Scope),
        user: z.string().meta({ description: 'E-mail address of who approved' }),
        key_id: z.string().meta({ description: 'The key’s id, by which it is revoked' }),
        expires_at: Time.nullable(),
      }),
    ]),
    errors: [],
  }),
  findDeviceSignIn: operation({
    ...base,
    method: 'POST',
    path: '/device/find',
    summary: 'What asks behind a code, before it is approved',
    access: 'account',
    body: z.strictObject({ userCode: UserCode }),
    reply: DeviceSignIn,
    errors: ['not_found'],
  }),
  approveDeviceSignIn: operation({
    ...base,
    method: 'POST',
    path: '/device/approve',
    summary: 'Give what asks a key of the workspace, with your role in it',
    access: { workspace: 'tokens.create' },
    body: z.strictObject({
      userCode: UserCode,
      expiresAt: Time.nullish().meta({ description: 'When the key ends; null: when it is revoked' }),
    }),
    reply: z.strictObject({ id: z.string(), approved: z.literal(true) }),
    errors: ['not_found', 'forbidden'],
  }),
  denyDeviceSignIn: operation({
    ...base,
    method: 'POST',
    path: '/device/deny',
    summary: 'Refuse what asks',
    access: 'account',
    body: z.strictObject({ userCode: UserCode }),
    reply: z.strictObject({ id: z.string(), denied: z.literal(true) }),
    errors: ['not_found'],
  }),
}

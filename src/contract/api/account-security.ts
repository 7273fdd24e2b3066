import { z } from 'zod'
import { displayName, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { Account, SecondFactorCode } from './accounts.ts'

const currentPassword = z.string().max(256).meta({ description: 'The password of the account, once more' })

export const TwoFactor = z
  .strictObject({
    enabled: z.boolean(),
    enabledAt: Time.nullable(),
    recoveryCodesLeft: z.int(),
  })
  .meta({ id: 'TwoFactor' })

export const Passkey = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    createdAt: Time,
    lastUsedAt: Time.nullable(),
    synced: z.boolean().meta({ description: 'Whether its keeper copies it to other devices' }),
  })
  .meta({ id: 'Passkey' })

/** Bytes as browsers' WebAuthn JSON has them. A post-quantum attestation is about 10 kB; ours are asked for without one. */
const Bytes = z
  .string()
  .regex(/^[\w-]+$/, 'must be base64url')
  .max(20_000)
const CredentialId = z
  .string()
  .regex(/^[\w-]+$/, 'must be base64url')
  .max(1400)
const attachment = z.enum(['platform', 'cross-platform']).optional()
const Transports = z.array(z.string().max(40)).max(10)

const credential = {
  id: CredentialId,
  rawId: CredentialId,
  type: z.literal('public-key'),
  authenticatorAttachment: attachment,
  clientExtensionResults: z.record(z.string().max(40), z.unknown()),
} as const

/** What `navigator.credentials.create` gives, as `toJSON()` writes it. */
export const NewCredential = z
  .strictObject({
    ...credential,
    response: z.strictObject({
      clientDataJSON: Bytes,
      attestationObject: Bytes,
      authenticatorData: Bytes.optional(),
      transports: Transports.optional(),
      publicKeyAlgorithm: z.int().optional(),
      publicKey: Bytes.optional(),
    }),
  })
  .meta({ id: 'NewCredential' })

/** What `navigator.credentials.get` gives, as `toJSON()` writes it. */
export const ProvenCredential = z
  .strictObject({
    ...credential,
    response: z.strictObject({
      clientDataJSON: Bytes,
      authenticatorData: Bytes,
      signature: Bytes,
      userHandle: Bytes.nullish(),
    }),
  })
  .meta({ id: 'ProvenCredential' })

const known = z.strictObject({ id: z.string(), type: z.literal('public-key') })

/** For `navigator.credentials.create`, as `PublicKeyCredential.parseCreationOptionsFromJSON` reads it. */
export const CreationOptions = z
  .strictObject({
    challenge: z.string(),
    rp: z.strictObject({ id: z.string(), name: z.string() }),
    user: z.strictObject({ id: z.string(), name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.strictObject({ type: z.literal('public-key'), alg: z.int() })),
    timeout: z.int(),
    excludeCredentials: z.array(known),
    authenticatorSelection: z.strictObject({
      residentKey: z.literal('required'),
      requireResidentKey: z.literal(true),
      userVerification: z.literal('required'),
    }),
    attestation: z.literal('none'),
  })
  .meta({ id: 'CreationOptions' })

/** For `navigator.credentials.get`, as `PublicKeyCredential.parseRequestOptionsFromJSON` reads it. */
export const RequestOptions = z
  .strictObject({
    challenge: z.string(),
    rpId: z.string(),
    timeout: z.int(),
    allowCredentials: z.array(known),
    userVerification: z.literal('required'),
  })
  .meta({ id: 'RequestOptions' })

const RecoveryCodes = z
  .strictObject({ recoveryCodes: z.array(z.string()).meta({ description: 'Each works once. Shown once.' }) })
  .meta({ id: 'RecoveryCodes' })

const base = { family: 'control', tag: 'Account' } as const
const passkeyParams = z.object({ passkey: z.string() })

export const accountSecurityOperations = {
  secondFactor: operation({
    ...base,
    method: 'POST',
    path: '/sessions/second-factor',
    summary: 'The second step of signing in; the session is a cookie',
    access: 'public',
    body: z.strictObject({ challenge: z.string().min(1).max(1000), code: SecondFactorCode }),
    reply: Account,
    errors: ['unauthorized'],
  }),
  passkeySignInOptions: operation({
    ...base,
    method: 'POST',
    path: '/sessions/passkey/options',
    summary: 'What a browser needs to ask for a passkey; good for five minutes, and once',
    access: 'public',
    reply: z.strictObject({ options: RequestOptions }),
    errors: ['unauthorized', 'conflict'],
  }),
  signInWithPasskey: operation({
    ...base,
    method: 'POST',
    path: '/sessions/passkey',
    summary: 'Sign in with a passkey, which counts as both factors; the session is a cookie',
    access: 'public',
    body: z.strictObject({ credential: ProvenCredential }),
    reply: Account,
    errors: ['unauthorized', 'conflict'],
  }),
  twoFactor: operation({
    ...base,
    method: 'GET',
    path: '/account/two-factor',
    summary: 'Whether signing in with the password takes a code as well',
    access: 'session',
    reply: TwoFactor,
    errors: [],
  }),
  beginTwoFactor: operation({
    ...base,
    method: 'POST',
    path: '/account/two-factor',
    summary: 'A secret for an authenticator app, shown once; nothing is asked for until a code of it is confirmed',
    access: 'session',
    body: z.strictObject({ password: currentPassword }),
    reply: z.strictObject({
      secret: z.string().meta({ description: 'In base32, to type' }),
      url: z.string().meta({ description: 'The same as `otpauth://…`, to scan' }),
    }),
    errors: ['forbidden', 'conflict'],
  }),
  confirmTwoFactor: operation({
    ...base,
    method: 'POST',
    path: '/account/two-factor/confirm',
    summary: 'Turn it on with a first code of the app; recovery codes come back, once',
    access: 'session',
    body: z.strictObject({ code: SecondFactorCode }),
    reply: RecoveryCodes,
    errors: ['forbidden', 'conflict'],
  }),
  renewRecoveryCodes: operation({
    ...base,
    method: 'POST',
    path: '/account/two-factor/recovery-codes',
    summary: 'New recovery codes; the old ones end',
    access: 'session',
    body: z.strictObject({ password: currentPassword, code: SecondFactorCode }),
    reply: RecoveryCodes,
    errors: ['forbidden', 'conflict'],
  }),
  disableTwoFactor: operation({
    ...base,
    method: 'POST',
    path: '/account/two-factor/disable',
    summary: 'Turn it off; the password is enough again',
    access: 'session',
    body: z.strictObject({ password: currentPassword, code: SecondFactorCode }),
    reply: z.strictObject({ enabled: z.literal(false) }),
    errors: ['forbidden', 'conflict'],
  }),
  passkeys: operation({
    ...base,
    method: 'GET',
    path: '/account/passkeys',
    summary: 'The account’s passkeys, oldest first',
    access: 'session',
    reply: z.strictObject({ passkeys: z.array(Passkey) }),
    errors: [],
  }),
  passkeyOptions: operation({
    ...base,
    method: 'POST',
    path: '/account/passkeys/options',
    summary: 'What a browser needs to make a passkey; good for five minutes, and once',
    access: 'session',
    body: z.strictObject({ password: currentPassword }),
    reply: z.strictObject({ options: CreationOptions }),
    errors: ['forbidden', 'conflict'],
  }),
  createPasskey: operation({
    ...base,
    method: 'POST',
    path: '/account/passkeys',
    summary: 'Keep the passkey that the browser has made',
    access: 'session',
    body: z.strictObject({ name: displayName(80), credential: NewCredential }),
    reply: Passkey,
    errors: ['conflict'],
  }),
  updatePasskey: operation({
    ...base,
    method: 'PATCH',
    path: '/account/passkeys/{passkey}',
    summary: 'Rename a passkey',
    access: 'session',
    params: passkeyParams,
    body: z.strictObject({ name: displayName(80) }),
    reply: Passkey,
    errors: ['not_found'],
  }),
  deletePasskey: operation({
    ...base,
    method: 'DELETE',
    path: '/account/passkeys/{passkey}',
    summary: 'Forget a passkey; nobody signs in with it any more. Refused where it is the last way to sign in',
    access: 'session',
    params: passkeyParams,
    reply: z.strictObject({ id: z.string(), deleted: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
}

import { z } from 'zod'
import { displayName, noControls, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { Account, SecondFactorNeeded } from './accounts.ts'

/** A provider's short name: a part of the address that it sends people back to. */
export const ProviderSlug = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/,
    'must be 1 to 32 lower-case letters, digits and inner hyphens, such as keycloak',
  )

/** Where a provider sends people back to, below the panel's public address. */
export const providerReturnPath = (slug: string): string => `/sign-in/${slug}`

const Issuer = z
  .url({ protocol: /^https?$/, error: 'must begin with https:// or http://' })
  .max(500)
  .refine((url) => {
    if (!URL.canParse(url)) return true
    const { username, password, hash, search } = new URL(url)
    return `${username}${password}${hash}${search}` === ''
  }, 'must be the address of the provider alone')
  .meta({
    description: 'It is asked at `/.well-known/openid-configuration`, by the panel',
    example: 'https://accounts.google.com',
  })

/** Domains of one provider: a company and its sisters. */
const domainsMax = 100

/** What people say of a provider, and may change later. */
const settings = {
  name: displayName(60).meta({ description: 'What people read on the button: Continue with …' }),
  clientId: z.string().min(1).max(500).regex(noControls),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/))
    .max(20)
    .refine((scopes) => scopes.includes('openid'), 'must have openid among them'),
  newAccounts: z.enum(['nobody', 'domains', 'anybody']).meta({
    description:
      'Who gets an account by signing in for the first time: people whose address, which the provider has verified, ends in one of `domains`; or anybody with a verified address',
  }),
  domains: z
    .array(
      z
        .string()
        .toLowerCase()
        .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'must be a domain, such as example.org'),
    )
    .max(domainsMax)
    .meta({ description: 'What stands behind the @; for `newAccounts` of `domains`' }),
  enabled: z.boolean().meta({ description: 'While it is not, nobody signs in there; links stay' }),
} as const

const ClientSecret = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')

export const IdentityProvider = z
  .strictObject({
    slug: ProviderSlug,
    issuer: z.string(),
    ...settings,
    confidential: z.boolean().meta({ description: 'A client secret is kept' }),
    redirectUri: z.string().meta({ description: 'What the provider has to be told, letter by letter' }),
    accounts: z.int().meta({ description: 'Linked to it' }),
    createdAt: Time,
  })
  .meta({ id: 'IdentityProvider' })

export const LinkedProvider = z
  .strictObject({
    provider: ProviderSlug,
    name: z.string(),
    enabled: z.boolean(),
    account: z.string().nullable().meta({ description: 'What the provider called the person last' }),
    linkedAt: Time,
    lastUsedAt: Time.nullable(),
  })
  .meta({ id: 'LinkedProvider' })

/** The query string that the provider sent the browser back with: a code of 4 KB is the longest in use. */
const Answer = z.strictObject({
  answer: z.string().min(1).max(8192).meta({ description: 'The query of the address that the browser came back to' }),
})

const Redirect = z.strictObject({ url: z.string().meta({ description: 'Where the browser has to go now' }) })

const administration = { family: 'control', tag: 'Instance', access: 'instance' } as const
const account = { family: 'control', tag: 'Account' } as const
const ofProvider = { params: z.object({ provider: ProviderSlug }) }

export const identityProviderOperations = {
  identityProviders: operation({
    ...administration,
    method: 'GET',
    path: '/identity-providers',
    summary: 'The OpenID providers that people may sign in with; secrets are never shown',
    reply: z.strictObject({
      providers: z.array(IdentityProvider),
      redirectBase: z.string().meta({ description: 'The redirect URI of a new one is this with its short name' }),
    }),
    errors: [],
  }),
  createIdentityProvider: operation({
    ...administration,
    method: 'POST',
    path: '/identity-providers',
    summary: 'Let people sign in with an OpenID provider; it is asked where its endpoints are before it is kept',
    body: z.strictObject({
      slug: ProviderSlug,
      issuer: Issuer,
      name: settings.name,
      clientId: settings.clientId,
      clientSecret: ClientSecret.nullish().meta({ description: 'None for a client without one' }),
      scopes: settings.scopes.default(['openid', 'email', 'profile']),
      newAccounts: settings.newAccounts.default('nobody'),
      domains: settings.domains.default([]),
      enabled: settings.enabled.default(true),
    }),
    reply: IdentityProvider,
    errors: ['conflict'],
  }),
  updateIdentityProvider: operation({
    ...administration,
    method: 'PATCH',
    path: '/identity-providers/{provider}',
    summary: 'Change a provider; its issuer and short name stay, since accounts are linked by them',
    ...ofProvider,
    body: z
      .strictObject({
        ...settings,
        clientSecret: ClientSecret.nullable().meta({
          description: 'Null for a client without one; the one that is kept stays where this is left out',
        }),
      })
      .partial()
      .refine((body) => Object.keys(body).length > 0, 'say what to change'),
    reply: IdentityProvider,
    errors: ['not_found', 'conflict'],
  }),
  testIdentityProvider: operation({
    ...administration,
    method: 'POST',
    path: '/identity-providers/{provider}/tests',
    summary: 'Ask a provider where its endpoints are',
    ...ofProvider,
    reply: z.strictObject({
      authorizationEndpoint: z.string().nullable(),
      tokenEndpoint: z.string().nullable(),
      namesItself: z.boolean().meta({ description: 'It says who it is when it sends people back (RFC 9207)' }),
    }),
    errors: ['not_found', 'conflict'],
  }),
  deleteIdentityProvider: operation({
    ...administration,
    method: 'DELETE',
    path: '/identity-providers/{provider}',
    summary: 'Forget a provider and every link to it; refused while accounts have no other way to sign in',
    ...ofProvider,
    reply: z.strictObject({ provider: ProviderSlug, deleted: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
  signInProviders: operation({
    ...account,
    method: 'GET',
    path: '/sessions/providers',
    summary: 'The providers that people may sign in with here',
    access: 'public',
    reply: z.strictObject({
      providers: z.array(z.strictObject({ provider: ProviderSlug, name: z.string() })),
    }),
    errors: [],
  }),
  beginProviderSignIn: operation({
    ...account,
    method: 'POST',
    path: '/sessions/providers/{provider}',
    summary: 'Begin to sign in with a provider, in a browser; good for five minutes, and once',
    access: 'public',
    ...ofProvider,
    body: z.strictObject({
      next: z.string().max(1500).optional().meta({ description: 'The page of the panel to go to then: a path' }),
    }),
    reply: Redirect,
    errors: ['unauthorized', 'not_found', 'conflict'],
  }),
  signInWithProvider: operation({
    ...account,
    method: 'POST',
    path: '/sessions/providers/{provider}/answer',
    summary:
      'Sign in with what the provider sent the browser back with, which counts as the password; the session is a cookie',
    access: 'public',
    ...ofProvider,
    body: Answer,
    reply: z.union([
      z.strictObject({ account: Account, next: z.string().nullable() }),
      SecondFactorNeeded.extend({ next: z.string().nullable() }).meta({ id: 'SecondFactorAfterProvider' }),
    ]),
    errors: ['unauthorized', 'forbidden', 'not_found', 'conflict'],
  }),
  linkedProviders: operation({
    ...account,
    method: 'GET',
    path: '/account/sign-in-providers',
    summary: 'The providers that the account signs in with',
    access: 'session',
    reply: z.strictObject({
      links: z.array(LinkedProvider),
      hasPassword: z.boolean().meta({ description: 'False for an account that a sign-in has made, until it sets one' }),
    }),
    errors: [],
  }),
  beginProviderLink: operation({
    ...account,
    method: 'POST',
    path: '/account/sign-in-providers/{provider}',
    summary: 'Begin to link a provider with the account, in a browser; good for five minutes, and once',
    access: 'session',
    ...ofProvider,
    body: z.strictObject({
      password: z.string().max(256).meta({ description: 'The password of the account, once more' }),
    }),
    reply: Redirect,
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
  linkProvider: operation({
    ...account,
    method: 'POST',
    path: '/account/sign-in-providers/{provider}/answer',
    summary: 'Link the account with whom the provider says that the browser belongs to',
    access: 'session',
    ...ofProvider,
    body: Answer,
    reply: LinkedProvider,
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
  unlinkProvider: operation({
    ...account,
    method: 'DELETE',
    path: '/account/sign-in-providers/{provider}',
    summary: 'End the link; refused where it is the last way to sign in',
    access: 'session',
    ...ofProvider,
    reply: z.strictObject({ provider: ProviderSlug, unlinked: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
}

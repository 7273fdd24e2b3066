import { z } from 'zod'
import type { identityProviderOperations } from '../../../contract/api/identity-providers.ts'
import type { ReplyData } from '../../../contract/operation.ts'
import { command, UsageError } from '../../command.ts'
import { facts, table } from '../../output.ts'

type Provider = ReplyData<(typeof identityProviderOperations)['createIdentityProvider']>

const Words = z.array(z.string().min(1)).optional()
const NewAccounts = z.enum(['nobody', 'domains', 'anybody']).optional()
const ofProvider = [['<slug>', 'as "pharos identity-providers list" shows it']] as const
const settingsFlags = [
  ['--scope <scope...>', 'what it is asked for: openid email profile unless given'],
  ['--new-accounts <whom>', 'who gets an account by signing in: nobody (the default), domains, anybody'],
  ['--domain <domain...>', 'whose verified addresses get an account, with --new-accounts domains'],
] as const

const list = command({
  path: 'identity-providers list',
  summary: 'List the OpenID providers that people may sign in with',
  examples: ['pharos identity-providers list', 'pharos identity-providers list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.identityProviders()
    out.result(reply, () =>
      table(
        ['short name', 'name', 'issuer', 'new accounts', 'accounts', 'in use'],
        reply.providers.map((provider) => [
          ...[provider.slug, provider.name, provider.issuer, newAccountsOf(provider)],
          ...[String(provider.accounts), provider.enabled ? 'yes' : 'no'],
        ]),
      ),
    )
  },
})

const show = command({
  path: 'identity-providers show',
  summary: 'Show a provider, and the redirect URI to tell it; its secret is never shown',
  args: ofProvider,
  examples: ['pharos identity-providers show keycloak'],
  options: z.object({ slug: z.string().min(1) }),
  async run({ slug: shortName }, { connect, out }) {
    const { client } = await connect()
    const { providers, redirectBase } = await client.identityProviders()
    const provider = providers.find(({ slug }) => slug === shortName)
    if (!provider)
      throw new UsageError(
        `There is no identity provider called ${shortName}; one that you add under that name has the redirect URI ${redirectBase}${shortName}`,
      )
    out.result(provider, () => describe(provider))
  },
})

const add = command({
  path: 'identity-providers add',
  summary: 'Let people sign in with an OpenID provider; its client secret is read from standard input',
  description:
    'It is asked where its endpoints are before it is kept. Register the redirect URI that is shown with the provider, letter by letter.',
  args: [['<slug>', 'a part of the redirect URI; it stays']],
  flags: [
    ['--issuer <url>', 'the provider'],
    ['--client-id <id>', 'what it knows this panel as'],
    ['--name <name>', 'what people read on the button; the short name unless given'],
    ['--public', 'the client has no secret'],
    ...settingsFlags,
  ],
  examples: [
    'pharos identity-providers add google --name Google --issuer https://accounts.google.com --client-id 123.apps < secret.txt',
    'pharos identity-providers add keycloak --issuer https://id.example.org/realms/staff --client-id pharos --new-accounts domains --domain example.org < secret.txt',
  ],
  options: z.object({
    slug: z.string().min(1),
    issuer: z.string('is needed').min(1),
    clientId: z.string('is needed').min(1),
    name: z.string().min(1).optional(),
    public: z.boolean().default(false),
    ...{ scope: Words, newAccounts: NewAccounts, domain: Words },
  }),
  async run({ slug: shortName, issuer, clientId, name, public: isPublic, ...more }, { connect, out, readSecret }) {
    const { client } = await connect()
    const clientSecret = isPublic ? null : await readSecret('Client secret')
    const made = await client.createIdentityProvider({
      body: { slug: shortName, name: name ?? shortName, issuer, clientId, clientSecret, ...settingsOf(more) },
    })
    out.talk(`Tell the provider this redirect URI: ${made.redirectUri}`)
    out.result(made, () => describe(made))
  },
})

const set = command({
  path: 'identity-providers set',
  summary: 'Change a provider; what is not named stays',
  args: ofProvider,
  flags: [
    ['--name <name>', 'what people read on the button'],
    ['--client-id <id>', 'what it knows this panel as'],
    ['--secret', 'read a new client secret from standard input'],
    ['--public', 'the client has no secret any more'],
    ...settingsFlags,
    ['--enable', 'people may sign in with it'],
    ['--disable', 'nobody may; links stay'],
  ],
  examples: [
    'pharos identity-providers set keycloak --disable',
    'pharos identity-providers set keycloak --secret < secret.txt',
    'pharos identity-providers set google --new-accounts domains --domain example.org',
  ],
  options: z.object({
    slug: z.string().min(1),
    name: z.string().min(1).optional(),
    clientId: z.string().min(1).optional(),
    secret: z.boolean().default(false),
    public: z.boolean().default(false),
    enable: z.boolean().default(false),
    disable: z.boolean().default(false),
    ...{ scope: Words, newAccounts: NewAccounts, domain: Words },
  }),
  async run({ slug: shortName, name, clientId, secret, public: isPublic, enable, disable, ...more }, tools) {
    if (secret && isPublic) throw new UsageError('Say --secret or --public, not both.')
    if (enable && disable) throw new UsageError('Say --enable or --disable, not both.')
    const body = {
      ...(name !== undefined && { name }),
      ...(clientId !== undefined && { clientId }),
      ...settingsOf(more),
      ...((enable || disable) && { enabled: enable }),
      ...(isPublic && { clientSecret: null }),
      ...(secret && { clientSecret: await tools.readSecret('Client secret') }),
    }
    if (Object.keys(body).length === 0) throw new UsageError('Say what to change.')
    const { client } = await tools.connect()
    const changed = await client.updateIdentityProvider({ params: { provider: shortName }, body })
    tools.out.result(changed, () => describe(changed))
  },
})

const test = command({
  path: 'identity-providers test',
  summary: 'Ask a provider where its endpoints are',
  args: ofProvider,
  examples: ['pharos identity-providers test keycloak'],
  options: z.object({ slug: z.string().min(1) }),
  async run({ slug: shortName }, { connect, out }) {
    const { client } = await connect()
    const found = await client.testIdentityProvider({ params: { provider: shortName } })
    out.result(found, () =>
      facts([
        ['people go to', found.authorizationEndpoint],
        ['codes are changed at', found.tokenEndpoint],
        ['names itself', found.namesItself ? 'yes' : 'no'],
      ]),
    )
  },
})

const remove = command({
  path: 'identity-providers delete',
  summary: 'Forget a provider and every link to it; refused while accounts have no other way to sign in',
  args: ofProvider,
  examples: ['pharos identity-providers delete keycloak'],
  options: z.object({ slug: z.string().min(1) }),
  async run({ slug: shortName }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.deleteIdentityProvider({ params: { provider: shortName } })
    out.result(reply, () => `${shortName} is deleted: nobody signs in with it any more.`)
  },
})

/** `identity-providers list|show|add|set|test|delete` */
export const identityProviderCommands = [list, show, add, set, test, remove]

const settingsOf = ({
  scope,
  newAccounts,
  domain,
}: {
  scope?: string[] | undefined
  newAccounts?: Provider['newAccounts'] | undefined
  domain?: string[] | undefined
}) => ({
  ...(scope && { scopes: scope }),
  ...(newAccounts && { newAccounts }),
  ...(domain && { domains: domain }),
})

const newAccountsOf = ({ newAccounts, domains }: Provider): string =>
  newAccounts === 'domains' ? domains.map((domain) => `@${domain}`).join(', ') : newAccounts

const describe = (provider: Provider): string =>
  facts([
    ['short name', provider.slug],
    ['name', provider.name],
    ['issuer', provider.issuer],
    ['client', `${provider.clientId}${provider.confidential ? ', with a secret' : ', without a secret'}`],
    ['redirect URI', provider.redirectUri],
    ['scopes', provider.scopes.join(' ')],
    ['new accounts for', newAccountsOf(provider)],
    ['accounts', String(provider.accounts)],
    ['in use', provider.enabled ? 'yes' : 'no'],
  ])

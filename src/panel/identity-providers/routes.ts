import type { identityProviderOperations } from '../../contract/api/identity-providers.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { IdentityProviders } from './identity-providers.ts'
import type { ProviderSignIns } from './provider-sign-ins.ts'

/** Providers as administrators set them up, and signing in with them. */
export const identityProviderRoutes = (
  providers: IdentityProviders,
  signIns: ProviderSignIns,
  accounts: Accounts,
): Handlers<typeof identityProviderOperations, PanelContexts> => ({
  identityProviders: async () => ({ providers: await providers.all(), redirectBase: providers.redirectUri('') }),
  createIdentityProvider: ({ body }) => providers.create(body),
  updateIdentityProvider: ({ params, body }) => providers.update(params.provider, body),
  testIdentityProvider: ({ params }) => providers.test(params.provider),
  async deleteIdentityProvider({ params }) {
    await providers.remove(params.provider)
    return { provider: params.provider, deleted: true }
  },
  signInProviders: async () => ({ providers: await signIns.offered() }),
  async beginProviderSignIn({ params, body, request }) {
    return { url: await signIns.begin(params.provider, body.next, request) }
  },
  async signInWithProvider({ params, body, request }) {
    const { userId, identity, next } = await signIns.signIn(params.provider, body.answer, request)
    const step = await accounts.providerStep(userId, identity, request)
    if (step) return { secondFactor: step, next }
    request.setHeader('Set-Cookie', await accounts.enter('signInWithProvider', userId, request))
    return { account: await accounts.account(userId), next }
  },
  async linkedProviders({ caller }) {
    return { links: await signIns.links(caller.userId), hasPassword: await accounts.hasPassword(caller.userId) }
  },
  async beginProviderLink({ caller, params, body, request }) {
    await accounts.confirmPassword(caller.userId, body.password, request.address)
    return { url: await signIns.beginLink(params.provider, caller.userId, request) }
  },
  linkProvider: ({ caller, params, body, request }) =>
    signIns.link(params.provider, caller.userId, body.answer, request),
  async unlinkProvider({ caller, params }) {
    await signIns.unlink(params.provider, caller.userId)
    return { provider: params.provider, unlinked: true }
  },
})

// Signing in at OpenID providers: what panel and edge share of it.
export { ProviderTrouble } from './outgoing.ts'
export { type BegunSignIn, type Claims, type OpenIdClient, type ProviderFacts, Providers } from './providers.ts'

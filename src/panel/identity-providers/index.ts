// What puts the panel together of signing in with providers.
export { IdentityProviders } from './identity-providers.ts'
export { ProviderSignIns } from './provider-sign-ins.ts'
export { identityProviderRoutes } from './routes.ts'
export { anyIdentity, hasIdentity } from './store.ts'

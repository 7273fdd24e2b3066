// What the other slices use of domains.
export { Domains } from './domains.ts'
export { type GrantedDomains, grantedDomains } from './granted.ts'
export { domainHandlers } from './routes.ts'
export type { AcmeSettings } from './world.ts'

export { type Accounts, createAccounts } from './accounts.ts'
export { accountRoutes } from './routes.ts'
export type { SetupInput } from './setup.ts'
export { touchSessions } from './store.ts'

export { tokenRoutes } from './routes.ts'
export { touchTokens } from './store.ts'
export { createTokens, type Tokens } from './tokens.ts'

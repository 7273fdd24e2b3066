// What puts the panel together of reports of abuse.
export { Abuse } from './abuse.ts'
export { abuseRoutes } from './routes.ts'

// What the other slices use of databases.
export { Databases } from './databases.ts'
export { DatabaseHosts } from './hosts.ts'
export { databaseHandlers, databaseHostHandlers } from './routes.ts'
export { countDatabases, databasesOnNode, setDatabaseLimit } from './store.ts'

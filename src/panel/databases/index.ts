// What the other slices use of databases.
export { Databases } from './databases.ts'
export { DatabaseHosts } from './hosts.ts'
export { type MovableDatabase, MovableDatabases } from './moves.ts'
export { databaseHandlers, databaseHostHandlers } from './routes.ts'
export { countDatabases, setDatabaseLimit } from './store.ts'

// What the rest of the node uses of databases.
export { type Databases, type DatabasesOptions, openDatabases } from './databases.ts'
export { databasePart } from './part.ts'

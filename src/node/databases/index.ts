// What the rest of the node uses of databases.
export { type Databases, openDatabases } from './databases.ts'
export { databasePart } from './part.ts'

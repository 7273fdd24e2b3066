// What the panel's slices use of the database. Drivers and migrations are its own affair.
export { type Change, type Changes, openChanges } from './changes.ts'
export { type DatabaseContent, type DatabaseSnapshot, isUsed, type Row, readSnapshot, writeContent } from './copy.ts'
export { type Database, type DatabaseConfig, openDatabase, type Store } from './database.ts'
export { type DatabaseState, readDatabaseState } from './state.ts'
export type * from './tables.ts'
export { isUniqueViolation } from './violations.ts'

// What panel and node use of MariaDB and MySQL. The driver is this folder's own affair.
export { CopyItem, DatabaseSummer } from './items.ts'
export { newDatabasePassword } from './password.ts'
export {
  type DatabaseServer,
  type GameDatabase,
  openDatabaseServer,
  type ServerAccess,
  writeDatabase,
} from './server.ts'

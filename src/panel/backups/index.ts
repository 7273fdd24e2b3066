// What the other slices use of backups.
export { Backups, type NewBackup } from './backups.ts'
export { Downloads } from './download.ts'
export { Following } from './following.ts'
export { Passwords } from './passwords.ts'
export { Places, type StoreConfig, type StoreKeys } from './places.ts'
export { Repositories } from './repositories.ts'
export { backupHandlers, backupTransferHandlers } from './routes.ts'
export { setBackupLimit } from './store.ts'

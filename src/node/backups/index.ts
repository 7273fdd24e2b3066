// What the rest of the node uses of backups.
export { Backups, type RestoreOrder } from './backups.ts'
export { createResticPrograms } from './incremental/programs.ts'
export { arrivingBackupPart, backupContentPart, backupPart } from './routes.ts'

// What keeps and checks an instance as a whole.
export { type BackupRequest, type BackupSummary, backUp } from './backup.ts'
export { type RestoreRequest, type RestoreSummary, restore, stamp } from './restore.ts'

import { join } from 'node:path'

/** Is in a data folder while a restore replaces what it holds: nothing may start on half of two instances. */
export const unfinishedRestoreFile = (dataDir: string): string => join(dataDir, 'restore-unfinished.json')

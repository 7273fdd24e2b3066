import type { Migration } from '../migrate.ts'
import * as foundation from './0001-foundation.ts'

/** Every migration, oldest first. A list rather than a folder listing: it is still there in a bundle. */
export const migrations: readonly Migration[] = [{ name: '0001-foundation', up: foundation.up }]

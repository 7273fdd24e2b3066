// Work that is due in rows of a table, each row done by one of several panels.
export { DueWork, type DueWorkOptions, type Turn } from './due-work.ts'
export { type Due, type Own, setOwn } from './store.ts'

// What the rest of the node uses of extraction.
export type { Job, Unpacked } from './job.ts'
export { unpack } from './unpack.ts'

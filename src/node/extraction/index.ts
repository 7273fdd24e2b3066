// What the rest of the node uses of extraction.
export { archiveKinds, type Job, type Unpacked } from './job.ts'
export { unpack } from './unpack.ts'

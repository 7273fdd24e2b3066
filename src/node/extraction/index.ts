// What the rest of the node uses of extraction.
export { decoderOf, decompressed } from './decoder.ts'
export { type Job, Refused, type Unpacked } from './job.ts'
export { entryParts } from './names.ts'
export { TarReader } from './tar-reader.ts'
export { unpack } from './unpack.ts'

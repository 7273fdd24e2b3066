// What the other slices use of files.
export { fileHandlers, fileTransferHandlers } from './routes.ts'

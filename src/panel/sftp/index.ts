// What the panel is put together from.
export { sftpHandlers } from './routes.ts'
export { Sftp } from './sftp.ts'

// What the rest of the node uses of SFTP.
export { SftpConfig } from './config.ts'
export { sftpParts } from './parts.ts'
export { openSftp, type Sftp } from './sftp.ts'

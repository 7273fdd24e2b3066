import { AppError } from '../../contract/errors.ts'
import type { SftpAct } from '../../contract/node-sftp.ts'
import type { Log } from '../../lib/log.ts'
import { openError } from '../files/place.ts'
import { type Status, status } from './packets.ts'

export interface Failure {
  status: Status
  /** For the person; most clients show it. */
  message: string
  code: SftpAct['code']
}

/** What a client is told of an error; what nobody expected is the log's. */
export function failureOf(path: string, error: unknown, log: Log): Failure {
  const known = error instanceof AppError ? error : openError(path, error)
  if (!(known instanceof AppError)) {
    log.error({ err: error }, 'a request of an SFTP client failed')
    return { status: status.failure, message: 'Something went wrong on our side', code: 'internal' }
  }
  const { message } = known
  switch (known.code) {
    case 'not_found':
      return { status: status.noSuchFile, message, code: 'not_found' }
    case 'forbidden':
      return { status: status.denied, message, code: 'forbidden' }
    default:
      return { status: status.failure, message, code: 'conflict' }
  }
}

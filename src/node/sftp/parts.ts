import { nodeSftpOperations, nodeSftpSockets } from '../../contract/node-sftp.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type ApiPart, part, socketPart } from '../../http/index.ts'
import type { Sftp } from './sftp.ts'

/** What panels ask of SFTP, and hear of it; where it is not served there is nothing to hear. */
export const sftpParts = (sftp: Sftp | null): ApiPart[] => [
  part<typeof nodeSftpOperations, Contexts>(nodeSftpOperations, {
    sftp: () => sftp && { port: sftp.port, address: sftp.address, fingerprint: sftp.fingerprint },
    answerSftp: ({ params, body }) => ({ taken: sftp?.doors.answered(params.question, body) ?? false }),
    judgeSftp({ params, body }) {
      sftp?.sessions.judge(params.session, body)
      return {}
    },
  }),
  socketPart<typeof nodeSftpSockets, Contexts>(nodeSftpSockets, {
    sftpNews({ channel }) {
      sftp?.sessions.opened(channel)
    },
  }),
]

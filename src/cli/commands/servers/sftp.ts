import { z } from 'zod'
import { command } from '../../command.ts'
import { facts } from '../../output.ts'
import { findServer } from './find.ts'

export const serverSftp = command({
  path: 'servers sftp',
  summary: 'Show how to reach the files of a server by SFTP',
  description:
    'The password is that of your account (with a code where the second factor is on), or an API key; with an SSH key of your account ("pharos account ssh-keys add") none is asked for.',
  args: [['<server>', 'its name or id']],
  examples: ['pharos servers sftp 1a7ce997', 'pharos servers sftp 1a7ce997 --json'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const found = await connection.client.sftpDetails({ params: { serverId } })
    out.result(found, () =>
      found.enabled
        ? facts([
            ['user name', found.user],
            ['host', found.host ?? 'the address of the node’s machine, which the panel does not know'],
            ['port', String(found.port)],
            ['host key', found.fingerprint],
            ['connect', `sftp -P ${found.port} ${found.user}@${found.host ?? '<host>'}`],
          ])
        : 'SFTP is turned off on the node of this server. --sftp-port turns it on there.',
    )
  },
})

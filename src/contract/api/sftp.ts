import { z } from 'zod'
import { operation } from '../operation.ts'
import { OfServer } from './servers.ts'

export const SftpDetails = z
  .strictObject({
    enabled: z.boolean().meta({ description: 'Whether the server’s node serves SFTP' }),
    user: z.string().meta({
      description: 'The user name: the account’s e-mail address, a dot, and the server’s short id',
      example: 'ada@example.com.1a7ce997',
    }),
    host: z.string().nullable().meta({ description: 'Null where the node has no address of its own' }),
    port: z.int().nullable(),
    fingerprint: z.string().nullable().meta({ description: 'Of the host key, as clients show it at the first time' }),
    url: z
      .string()
      .nullable()
      .meta({ description: 'For file managers', example: 'sftp://ada%40example.com.1a7ce997@node.example.com:2022/' }),
  })
  .meta({ id: 'SftpDetails' })

export const sftpOperations = {
  sftpDetails: operation({
    family: 'panel',
    tag: 'Files',
    method: 'GET',
    path: '/servers/{serverId}/sftp',
    summary: 'How to reach the server’s files by SFTP',
    description:
      'The password is that of the account, with the code of the second factor asked for where it is on; or an API key; or one of the account’s SSH keys and none.',
    access: { server: 'sftp.connect' },
    params: OfServer,
    reply: SftpDetails,
    errors: ['conflict'],
  }),
}

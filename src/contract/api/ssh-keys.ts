import { z } from 'zod'
import { displayName, Time } from '../fields.ts'
import { operation } from '../operation.ts'

export const SshKey = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    type: z.string().meta({ example: 'ssh-ed25519' }),
    fingerprint: z.string().meta({ description: 'As "ssh-keygen -l" shows it', example: 'SHA256:2tFC…' }),
    createdAt: Time,
    lastUsedAt: Time.nullable(),
    tokenId: z
      .string()
      .nullable()
      .meta({ description: 'The API key that added it: the SSH key reaches what that one reaches, and ends with it' }),
  })
  .meta({ id: 'SshKey' })

const base = { family: 'control', tag: 'Account' } as const

export const sshKeyOperations = {
  sshKeys: operation({
    ...base,
    method: 'GET',
    path: '/account/ssh-keys',
    summary: 'The account’s SSH keys, oldest first: with one of them SFTP asks for no password',
    access: 'account',
    reply: z.strictObject({ sshKeys: z.array(SshKey) }),
    errors: [],
  }),
  createSshKey: operation({
    ...base,
    method: 'POST',
    path: '/account/ssh-keys',
    summary: 'Add a public SSH key. In a session it takes the password once more',
    access: 'account',
    body: z.strictObject({
      publicKey: z.string().min(1).max(12_000).meta({
        description: 'One line, as in `~/.ssh/id_ed25519.pub`: Ed25519, ECDSA, or RSA of 2048 bits and more',
      }),
      name: displayName(80).optional().meta({ description: 'The comment of the key unless given' }),
      password: z.string().max(256).optional().meta({ description: 'The password of the account, in a session' }),
    }),
    reply: SshKey,
    errors: ['forbidden', 'conflict'],
  }),
  deleteSshKey: operation({
    ...base,
    method: 'DELETE',
    path: '/account/ssh-keys/{sshKey}',
    summary: 'Forget an SSH key; what is connected by it ends at once',
    access: 'account',
    params: z.object({ sshKey: z.string() }),
    reply: z.strictObject({ id: z.string(), deleted: z.literal(true) }),
    errors: ['not_found'],
  }),
}

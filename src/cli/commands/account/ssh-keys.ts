import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { CommandError, command } from '../../command.ts'
import { facts, table } from '../../output.ts'

const list = command({
  path: 'account ssh-keys list',
  summary: 'List the SSH keys of your account, by which SFTP asks for no password',
  examples: ['pharos account ssh-keys list', 'pharos account ssh-keys list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.sshKeys()
    out.result(reply, () =>
      table(
        ['id', 'name', 'type', 'fingerprint', 'last used'],
        reply.sshKeys.map((key) => [key.id, key.name, key.type, key.fingerprint, key.lastUsedAt ?? 'never']),
      ),
    )
  },
})

const add = command({
  path: 'account ssh-keys add',
  summary: 'Add a public SSH key to your account',
  description:
    'The key reaches the servers that this API key reaches, and ends when the API key is revoked. One that is added on the account page lasts by itself.',
  args: [['<file>', 'the public key: ~/.ssh/id_ed25519.pub']],
  flags: [['--name <text>', 'what to call it; the comment of the key unless given']],
  examples: [
    'pharos account ssh-keys add ~/.ssh/id_ed25519.pub',
    'pharos account ssh-keys add ci.pub --name ci --json',
  ],
  options: z.object({ file: z.string().min(1), name: z.string().min(1).max(80).optional() }),
  async run({ file, name }, { connect, out }) {
    const publicKey = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new CommandError(
        `Cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}. "ssh-keygen -t ed25519" makes a key.`,
      )
    })
    // Before it leaves this machine.
    if (publicKey.includes('PRIVATE KEY'))
      throw new CommandError(`${file} is a private key, which stays where it is. Give the file that ends in .pub.`)
    const { client } = await connect()
    const key = await client.createSshKey({
      body: { publicKey: publicKey.trim(), ...(name !== undefined && { name }) },
    })
    out.result(key, () =>
      facts([
        ['id', key.id],
        ['name', key.name],
        ['type', key.type],
        ['fingerprint', key.fingerprint],
      ]),
    )
  },
})

const remove = command({
  path: 'account ssh-keys remove',
  summary: 'Remove an SSH key; what is connected by it ends at once',
  args: [['<id>', 'as "pharos account ssh-keys list" shows it']],
  examples: ['pharos account ssh-keys remove ssh_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.deleteSshKey({ params: { sshKey: id } })
    out.result(reply, () => `${reply.id} is removed.`)
  },
})

export const sshKeyCommands = [list, add, remove]

import { z } from 'zod'
import { command } from '../../command.ts'
import { facts, table } from '../../output.ts'

const list = command({
  path: 'tokens list',
  summary: 'List the workspace’s API keys, revoked ones too; never their secrets',
  examples: ['pharos tokens list', 'pharos tokens list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.tokens()
    out.result(reply, () =>
      table(
        ['id', 'label', 'created', 'last used', 'state'],
        reply.tokens.map((token) => [
          token.id,
          token.label ?? '-',
          token.createdAt,
          token.lastUsedAt ?? 'never',
          token.revokedAt ? `revoked ${token.revokedAt}` : token.expiresAt ? `until ${token.expiresAt}` : 'valid',
        ]),
      ),
    )
  },
})

const create = command({
  path: 'tokens create',
  summary: 'Make an API key; it is shown once',
  flags: [
    ['--label <text>', 'what it is for'],
    ['--expires <time>', 'when it stops working: 2027-01-31 or a full ISO 8601 time'],
  ],
  examples: ['pharos tokens create --label ci', 'pharos tokens create --label ci --expires 2027-01-31 --json'],
  options: z.object({
    label: z.string().max(80).optional(),
    expires: z
      .union([z.iso.date(), z.iso.datetime({ offset: true })])
      .transform((text) => new Date(text).toISOString())
      .optional(),
  }),
  async run({ label, expires }, { connect, out }) {
    const { client } = await connect()
    const made = await client.createToken({ body: { label: label ?? null, expiresAt: expires ?? null } })
    out.talk('Keep the key now: it is shown only this once.')
    out.result(made, () =>
      facts([
        ['id', made.id],
        ['label', made.label],
        ['key', made.token],
        ['expires', made.expiresAt],
      ]),
    )
  },
})

const revoke = command({
  path: 'tokens revoke',
  summary: 'Revoke an API key, at once and everywhere',
  args: [['<id>', 'as "pharos tokens list" shows it']],
  examples: ['pharos tokens revoke tok_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.revokeToken({ params: { id } })
    out.result(reply, () => `${reply.id} is revoked.`)
  },
})

export const tokenCommands = [list, create, revoke]

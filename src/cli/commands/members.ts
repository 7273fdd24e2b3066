import { z } from 'zod'
import { Email } from '../../contract/fields.ts'
import { roles } from '../../contract/permissions.ts'
import { CommandError, type Connection, command } from '../command.ts'
import { table } from '../output.ts'

const who = ['<email>', 'their address'] as const

const list = command({
  path: 'members list',
  summary: 'List who belongs to the workspace, and who is invited',
  examples: ['pharos members list', 'pharos members list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const { members, permissions } = await client.members()
    // Whoever may not manage members is not shown who is invited.
    const { invitations } = permissions.includes('members.manage') ? await client.invitations() : { invitations: [] }
    out.result({ members, invitations }, () =>
      table(
        ['e-mail', 'name', 'role', 'state'],
        [
          ...members.map(({ email, name, role, joinedAt }) => [email, name, role, `since ${joinedAt}`]),
          ...invitations.map(({ email, role, expiresAt }) => [email, '-', role, `invited until ${expiresAt}`]),
        ],
      ),
    )
  },
})

const invite = command({
  path: 'members invite',
  summary: 'Invite somebody to the workspace, by e-mail or by a link to hand over',
  args: [who],
  flags: [['--role <role>', `${roles.join(', ')}; member unless given`]],
  examples: ['pharos members invite bob@example.com', 'pharos members invite eve@example.com --role admin'],
  options: z.object({ email: Email, role: z.enum(roles).default('member') }),
  async run({ email, role }, { connect, out }) {
    const { client } = await connect()
    const made = await client.createInvitation({ body: { email, role } })
    out.result(made, () =>
      made.url === null
        ? made.message
        : `${made.message}\nHand this link over; it is shown only this once: ${made.url}`,
    )
  },
})

const set = command({
  path: 'members set',
  summary: 'Change what somebody is in the workspace',
  args: [who],
  flags: [['--role <role>', roles.join(', ')]],
  examples: ['pharos members set bob@example.com --role admin'],
  options: z.object({ email: Email, role: z.enum(roles, 'is needed: one of owner, admin, member') }),
  async run({ email, role }, { connect, out }) {
    const { client } = await connect()
    const member = await client.updateMember({ params: { member: (await find(client, email)).id }, body: { role } })
    out.result(member, () => `${member.email} is ${member.role} now.`)
  },
})

const remove = command({
  path: 'members remove',
  summary: 'Remove somebody from the workspace, or withdraw their invitation; their keys end at once',
  args: [who],
  examples: ['pharos members remove bob@example.com'],
  options: z.object({ email: Email }),
  async run({ email }, { connect, out }) {
    const { client } = await connect()
    const { invitations } = await client.invitations()
    const invited = invitations.find((one) => one.email === email)
    const reply = invited
      ? await client.deleteInvitation({ params: { invitation: invited.id } })
      : await client.removeMember({ params: { member: (await find(client, email)).id } })
    out.result({ ...reply, email }, () =>
      invited ? `The invitation of ${email} is withdrawn.` : `${email} is removed.`,
    )
  },
})

async function find(client: Connection['client'], email: string): Promise<{ id: string }> {
  const { members } = await client.members()
  const found = members.find((one) => one.email === email)
  if (found) return found
  throw new CommandError(`${email} does not belong to this workspace. "pharos members list" shows who does.`)
}

export const memberCommands = [list, invite, set, remove]

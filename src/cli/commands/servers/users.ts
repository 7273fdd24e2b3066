import { z } from 'zod'
import { Email } from '../../../contract/fields.ts'
import { serverPermissions } from '../../../contract/permissions.ts'
import { CommandError, type Connection, command, UsageError } from '../../command.ts'
import { table } from '../../output.ts'
import { findServer } from './find.ts'

const ofServer = ['<server>', 'its name or id'] as const
const ofUser = ['<email>', 'the address of somebody who may use it'] as const
const permissionsFlag = [
  '--may <permissions>',
  'what they may do, with commas: console.read,control.start; console.* is all of a kind, * everything',
] as const

const list = command({
  path: 'servers users list',
  summary: 'List who else may use a server, and what they may do',
  args: [ofServer],
  examples: ['pharos servers users list survival'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const users = await connection.client.subusers({ params: { serverId: await findServer(connection, server) } })
    out.result(users, () =>
      users.length === 0
        ? 'Nobody else. "pharos servers users add --help" says how to let somebody in.'
        : table(
            ['e-mail', 'state', 'may'],
            users.map(({ email, pending, permissions }) => [
              email,
              pending ? 'invited' : 'joined',
              permissions.join(', '),
            ]),
          ),
    )
  },
})

const add = command({
  path: 'servers users add',
  summary: 'Let somebody use a server; who is unknown gets an invitation',
  args: [ofServer, ['<email>', 'their address']],
  flags: [permissionsFlag],
  examples: ['pharos servers users add survival bob@example.com --may console.read,control.*'],
  options: z.object({ server: z.string().min(1), email: Email, may: z.string('is needed').min(1) }),
  async run({ server, email, may }, { connect, out }) {
    const permissions = permissionsOf(may)
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const reply = await connection.client.createSubuser({ params, body: { userEmail: email, permissions } })
    out.result(reply, () =>
      reply.invitationUrl === null
        ? reply.message
        : `${reply.message}\nHand this link over; it is shown only this once: ${reply.invitationUrl}`,
    )
  },
})

const set = command({
  path: 'servers users set',
  summary: 'Change what somebody may do with a server; felt at once',
  args: [ofServer, ofUser],
  flags: [permissionsFlag],
  examples: ['pharos servers users set survival bob@example.com --may console.*'],
  options: z.object({ server: z.string().min(1), email: Email, may: z.string('is needed').min(1) }),
  async run({ server, email, may }, { connect, out }) {
    const permissions = permissionsOf(may)
    const connection = await connect()
    const params = await find(connection, server, email)
    const reply = await connection.client.updateSubuser({ params, body: { permissions } })
    out.result({ ...reply, permissions }, () => reply.message)
  },
})

const remove = command({
  path: 'servers users remove',
  summary: 'Take a server away from somebody; what they have open ends at once',
  args: [ofServer, ofUser],
  examples: ['pharos servers users remove survival bob@example.com'],
  options: z.object({ server: z.string().min(1), email: Email }),
  async run({ server, email }, { connect, out }) {
    const connection = await connect()
    const reply = await connection.client.deleteSubuser({ params: await find(connection, server, email) })
    out.result(reply, () => reply.message)
  },
})

async function find(
  connection: Connection,
  server: string,
  email: string,
): Promise<{ serverId: string; subuser: string }> {
  const serverId = await findServer(connection, server)
  const users = await connection.client.subusers({ params: { serverId } })
  const found = users.find((one) => one.email === email)
  if (found) return { serverId, subuser: found.id }
  throw new CommandError(`${email} may not use ${server} anyway. "pharos servers users list ${server}" shows who may.`)
}

/** What `console.*,control.start` means. Throws a `UsageError` that lists the choices. */
function permissionsOf(text: string): (typeof serverPermissions)[number][] {
  const wanted = text.split(',').map((one) => one.trim())
  const found = wanted.map((one) =>
    serverPermissions.filter(
      (known) => one === '*' || known === one || (one.endsWith('.*') && known.startsWith(one.slice(0, -1))),
    ),
  )
  const unknown = wanted.filter((_, index) => found[index]?.length === 0)
  if (unknown.length > 0)
    throw new UsageError(
      `There is no permission ${unknown.join(' and no ')}. There are: ${serverPermissions.join(', ')}.`,
    )
  return [...new Set(found.flat())]
}

export const serverUserCommands = [list, add, set, remove]

import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { bytes, facts, table } from '../../output.ts'
import { findServer } from '../servers/find.ts'

const ofServer = ['<server>', 'its name or id'] as const
const ofDatabase = ['<database>', 'its name or id'] as const

const list = command({
  path: 'databases list',
  summary: 'List a server’s databases; never their passwords',
  args: [ofServer],
  examples: ['pharos databases list survival'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const databases = await connection.client.databases({ params: { serverId } })
    out.result(databases, () =>
      table(
        ['name', 'host', 'database', 'user', 'from', 'size', 'state'],
        databases.map((one) => [
          one.name,
          `${one.host}:${one.port}`,
          one.database,
          one.username,
          one.remote,
          one.sizeBytes === null ? '-' : bytes(one.sizeBytes),
          one.state,
        ]),
      ),
    )
  },
})

const create = command({
  path: 'databases create',
  summary: 'Make a database for a server, and an account with a password',
  args: [ofServer, ['<name>', 'what to call it']],
  flags: [['--remote <host>', 'where the account may connect from: an address, or a pattern with %']],
  examples: ['pharos databases create survival shop', 'pharos databases create survival shop --remote 10.0.%'],
  options: z.object({ server: z.string().min(1), name: z.string().min(1), remote: z.string().min(1).optional() }),
  async run({ server, name, remote }, { connect, out }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const made = await connection.client.createDatabase({
      params: { serverId },
      body: { database: name, ...(remote === undefined ? {} : { remote }) },
    })
    if (made.note !== null) out.talk(made.note)
    out.result(made, () =>
      facts([
        ['host', made.host],
        ['port', String(made.port)],
        ['database', made.database],
        ['user', made.username],
        ['password', made.password],
      ]),
    )
  },
})

const password = command({
  path: 'databases password',
  summary: 'Show the password of a database’s account',
  args: [ofServer, ofDatabase],
  examples: ['pharos databases password survival shop'],
  options: z.object({ server: z.string().min(1), database: z.string().min(1) }),
  async run({ server, database }, { connect, out }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const reply = await connection.client.databasePassword({ params: { serverId, database } })
    out.result(reply, () => reply.password)
  },
})

const rotate = command({
  path: 'databases rotate',
  summary: 'Give a database’s account a new password; the old one stops working at once',
  args: [ofServer, ofDatabase],
  examples: ['pharos databases rotate survival shop'],
  options: z.object({ server: z.string().min(1), database: z.string().min(1) }),
  async run({ server, database }, { connect, out }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const reply = await connection.client.rotateDatabasePassword({ params: { serverId, database } })
    out.result(reply, () => reply.newPassword)
  },
})

const remove = command({
  path: 'databases delete',
  summary: 'Delete a database and its account',
  args: [ofServer, ofDatabase],
  flags: [['-y, --yes', 'yes, everything in it']],
  examples: ['pharos databases delete survival shop --yes'],
  options: z.object({
    server: z.string().min(1),
    database: z.string().min(1),
    yes: z.boolean().default(false),
  }),
  async run({ server, database, yes }, { connect, out }) {
    if (!yes) throw new UsageError(`This deletes everything in ${database} for ever. Add --yes to do it.`)
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const { message } = await connection.client.deleteDatabase({ params: { serverId, database } })
    out.result({ database, message }, () => message)
  },
})

export const databaseCommands = [list, create, password, rotate, remove]

import { z } from 'zod'
import { Port } from '../../../contract/fields.ts'
import { command } from '../../command.ts'
import { facts, table } from '../../output.ts'

const list = command({
  path: 'database-hosts list',
  summary: 'List the MariaDB and MySQL servers that hold databases',
  examples: ['pharos database-hosts list'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.databaseHosts()
    out.result(reply, () =>
      table(
        ['id', 'name', 'address', 'user', 'tls', 'databases'],
        reply.hosts.map((host) => [
          host.id,
          host.name,
          `${host.host}:${host.port}`,
          host.username,
          host.tls ? 'yes' : 'no',
          host.capacity === null ? String(host.databases) : `${host.databases} of ${host.capacity}`,
        ]),
      ),
    )
  },
})

const create = command({
  path: 'database-hosts create',
  summary: 'Register a MariaDB or MySQL server; its administrator’s password is read from standard input',
  args: [
    ['<name>', 'what to call it'],
    ['<address>', 'its host name or address, as panel and games reach it'],
  ],
  flags: [
    ['--user <name>', 'an account that may make databases and users'],
    ['--port <port>', 'its port'],
    ['--capacity <count>', 'how many databases it may hold; without it there is no limit'],
    ['--tls', 'speak TLS, with a certificate that this machine trusts'],
  ],
  examples: ['pharos database-hosts create eu-1 mariadb.example.org --user pharos < password.txt'],
  options: z.object({
    name: z.string().min(1),
    address: z.string().min(1),
    user: z.string().min(1),
    port: z.coerce.number().pipe(Port).default(3306),
    capacity: z.coerce.number().int().min(1).optional(),
    tls: z.boolean().default(false),
  }),
  async run({ name, address, user, port, capacity, tls }, { connect, out, readSecret }) {
    const { client } = await connect()
    const password = await readSecret(`Password of ${user}`)
    const host = await client.createDatabaseHost({
      body: { name, host: address, port, username: user, password, tls, capacity: capacity ?? null },
    })
    out.result(host, () =>
      facts([
        ['id', host.id],
        ['name', host.name],
        ['address', `${host.host}:${host.port}`],
      ]),
    )
  },
})

const test = command({
  path: 'database-hosts test',
  summary: 'Make, change and remove a database there now',
  args: [['<id>', 'as "pharos database-hosts list" shows it']],
  examples: ['pharos database-hosts test dbh_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.testDatabaseHost({ params: { host: id } })
    out.result(reply, () => `It works: ${reply.version}.`)
  },
})

const remove = command({
  path: 'database-hosts delete',
  summary: 'Forget a host that has no databases of ours',
  args: [['<id>', 'as "pharos database-hosts list" shows it']],
  examples: ['pharos database-hosts delete dbh_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.deleteDatabaseHost({ params: { host: id } })
    out.result(reply, () => `${reply.id} is forgotten.`)
  },
})

export const databaseHostCommands = [list, create, test, remove]

import { CommandError, type Connection } from '../../command.ts'

/** The API's largest page of servers. */
const pageSize = 100

/**
 * The id of the server that somebody means: its id, whole or short, or its name when only one is called so.
 * Throws a `CommandError` that lists the choices.
 */
export async function findServer({ client }: Connection, meant: string): Promise<string> {
  const id = /^(?:servers\/)?([0-9a-f]{8})$/.exec(meant)?.[1]
  if (id) return id
  const servers = await client.servers({ query: { limit: pageSize } })
  const named = servers.filter(({ name }) => name === meant)
  const [only] = named
  if (only && named.length === 1) return only.id.replace('servers/', '')
  if (only)
    throw new CommandError(
      `${named.length} servers are called "${meant}". Use the id: ${named.map((server) => server.id).join(', ')}`,
    )
  throw new CommandError(`No server is called "${meant}". "pharos servers list" shows yours.`)
}

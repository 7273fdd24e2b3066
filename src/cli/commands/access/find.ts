import { CommandError, type Connection } from '../../command.ts'

/** The id of a tunnel, by its name or its id. */
export async function findTunnel({ client }: Connection, meant: string): Promise<string> {
  const { tunnels } = await client.tunnels()
  const tunnel = tunnels.find(({ id }) => id === meant) ?? tunnels.find(({ name }) => name === meant)
  if (!tunnel) throw new CommandError(`No tunnel is called "${meant}". "pharos list" shows them.`)
  return tunnel.id
}

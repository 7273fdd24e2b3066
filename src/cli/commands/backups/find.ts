import { CommandError, type Connection } from '../../command.ts'

/** The id of the backup that somebody means: its id, or its name when only one is called so. */
export async function findBackup({ client }: Connection, serverId: string, meant: string): Promise<string> {
  const backups = await client.backups({ params: { serverId } })
  const known = backups.find(({ id }) => id === meant)
  if (known) return known.id
  const named = backups.filter(({ name }) => name === meant)
  const [only] = named
  if (only && named.length === 1) return only.id
  if (only)
    throw new CommandError(
      `${named.length} backups are called "${meant}". Use the id: ${named.map(({ id }) => id).join(', ')}`,
    )
  throw new CommandError(`No backup is called "${meant}". "pharos backups list <server>" shows them.`)
}

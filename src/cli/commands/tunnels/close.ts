import { z } from 'zod'
import { TunnelName } from '../../../contract/fields.ts'
import { backgroundFolder } from '../../background/folder.ts'
import { LocalAgent, NoAgent } from '../../background/local-agent.ts'
import { CommandError, type Connection, command, type Tools, UsageError } from '../../command.ts'

export const closeTunnel = command({
  path: 'close',
  summary: 'Close a tunnel now, and give up its name or port',
  args: [['[name]', 'as "pharos list" shows it, or its id']],
  flags: [
    ['--keep-name', 'only end it in the background agent of this machine: the workspace keeps its name and ports'],
    ['--all', 'every tunnel of the background agent'],
  ],
  examples: ['pharos close web', 'pharos close web --keep-name', 'pharos close --all --keep-name'],
  options: z.object({
    name: z.string().min(1).optional(),
    keepName: z.boolean().default(false),
    all: z.boolean().default(false),
  }),
  async run({ name, keepName, all }, tools) {
    if ((name === undefined) === !all)
      throw new UsageError('Say which tunnel to close, or --all of the background agent.')
    const connection = await tools.connect()
    const { client } = connection
    const { tunnels } = keepName ? { tunnels: [] } : await client.tunnels()
    const found = tunnels.find(({ id }) => id === name) ?? tunnels.find((one) => one.name === name)
    // First here: an agent that has it would otherwise learn of it as of something that others did.
    const here = await closeHere(found?.name ?? name ?? null, connection, tools)
    if (name !== undefined && !found && here.length === 0)
      throw new CommandError(
        `${keepName ? 'The background agent has no tunnel' : 'There is no tunnel'} "${name}". "pharos list" shows what there is.`,
      )
    const there = found ? [found] : tunnels.filter((one) => here.includes(one.name))
    for (const { id } of there) await client.deleteTunnel({ params: { tunnel: id } })
    const names = [...new Set([...there.map((one) => one.name), ...here])]
    const closed = names.map((one) => ({ id: there.find((tunnel) => tunnel.name === one)?.id ?? null, name: one }))
    tools.out.result({ closed }, () =>
      names.length === 0
        ? 'The background agent has no tunnels.'
        : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} closed.`,
    )
  },
})

/** In the background agent, where there is one. */
async function closeHere(name: string | null, { url, key }: Connection, { stateHome }: Tools): Promise<string[]> {
  if (name !== null && !TunnelName.safeParse(name).success) return []
  try {
    return await new LocalAgent(await backgroundFolder(stateHome)).close({ account: { url, key: key.reveal() }, name })
  } catch (error) {
    if (error instanceof NoAgent) return []
    throw error
  }
}

import { z } from 'zod'
import { CommandError, command } from '../../command.ts'

export const closeTunnel = command({
  path: 'close',
  summary: 'Close a tunnel now, and give up its name or port',
  args: [['<name>', 'as "pharos list" shows it, or its id']],
  examples: ['pharos close web'],
  options: z.object({ name: z.string().min(1) }),
  async run({ name }, { connect, out }) {
    const { client } = await connect()
    const { tunnels } = await client.tunnels()
    const tunnel = tunnels.find(({ id }) => id === name) ?? tunnels.find((one) => one.name === name)
    if (!tunnel) throw new CommandError(`No tunnel is called "${name}". "pharos list" shows them.`)
    const reply = await client.deleteTunnel({ params: { tunnel: tunnel.id } })
    out.result({ ...reply, name: tunnel.name }, () => `${tunnel.name} is closed.`)
  },
})

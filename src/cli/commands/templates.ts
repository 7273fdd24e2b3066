import { z } from 'zod'
import { command } from '../command.ts'
import { table } from '../output.ts'

export const listTemplates = command({
  path: 'templates',
  summary: 'List the kinds of server that can be created',
  examples: ['pharos templates', 'pharos templates --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const templates = await client.templates()
    out.result(templates, () =>
      table(
        ['id', 'name', 'memory', 'summary'],
        templates.map(({ id, name, resources, summary }) => [id, name, `${resources.memory} MiB`, summary]),
      ),
    )
  },
})

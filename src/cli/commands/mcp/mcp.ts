import { z } from 'zod'
import { command } from '../../command.ts'
import { Transport, transportHelp } from '../tunnels/forwarding.ts'
import { ExposedPorts } from './exposed-ports.ts'

export const serveMcp = command({
  path: 'mcp',
  summary: 'Give an agent tools: the Model Context Protocol over standard input and output',
  description:
    'Agents start this program by themselves: write it into their configuration as the command "pharos" with the argument "mcp". It acts with the key of this account, and exposes ports of this machine for as long as it runs. Agents on other machines use the panel itself, at /mcp.',
  flags: [
    ['--read-only', 'only tools that look and change nothing'],
    ['--transport <way>', transportHelp],
  ],
  examples: ['pharos mcp', 'pharos mcp --read-only'],
  handlesInterrupt: true,
  options: z.object({ readOnly: z.boolean().default(false), transport: Transport }),
  async run({ readOnly, transport }, { connect, out, signal, stdio, version }) {
    const connection = await connect()
    // A large part of the program, which no other command needs.
    const { contractTools, createToolServer, instructions, serveOverStdio } = await import('../../../mcp/index.ts')
    await using ports = new ExposedPorts(connection, transport)
    const tools = [...ports.tools, ...contractTools()].filter(
      ({ definition }) => !readOnly || definition.annotations?.readOnlyHint === true,
    )
    await serveOverStdio({
      ...stdio,
      signal,
      serve: () =>
        createToolServer({
          version,
          tools,
          apiOf: () => connection.client,
          instructions,
          failed: (error, tool) =>
            out.talk(`${tool}: ${error instanceof Error ? (error.stack ?? error.message) : error}`),
        }),
      failed: (error) => out.talk(error.message),
    })
  },
})

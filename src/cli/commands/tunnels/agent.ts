import { z } from 'zod'
import { backgroundFolder } from '../../background/folder.ts'
import { LocalAgent, NoAgent } from '../../background/local-agent.ts'
import { serveBackground } from '../../background/serve.ts'
import { askStarted } from '../../background/start.ts'
import { command, UsageError } from '../../command.ts'
import { checkPlace, findProject, projectFileName, readProject, wantedOfProject } from '../../project-file.ts'
import { forwardUntilStopped } from './forwarding.ts'

const runAgent = command({
  path: 'agent',
  summary: 'Keep several local ports on the internet, as a file says; or steer the background agent',
  description:
    'With a file it runs here until Ctrl-C. The background agent is what "pharos open --detach" hands tunnels to: one for each user, started when it is needed.',
  args: [
    [
      '[file]',
      `a file of tunnels, as docs/cli.md tells of it; ${projectFileName} of this folder or one above unless given`,
    ],
  ],
  examples: ['pharos agent', 'pharos agent tunnels.yaml', 'pharos agent stop'],
  handlesInterrupt: true,
  options: z.object({ file: z.string().min(1).optional() }),
  async run({ file }, tools) {
    const project = file === undefined ? await findProject(tools.cwd, tools.env) : await readProject(tools.path(file))
    if (!project)
      throw new UsageError(`There is no ${projectFileName} here or above. "pharos link 3000 --as web" makes one.`)
    const { tunnels, transport } = project.file
    if (tunnels.length === 0)
      throw new UsageError(`${project.path} has no tunnels. "pharos link 3000 --as web" adds one.`)
    const wanted = await wantedOfProject(project, tunnels)
    const connection = await tools.connect()
    await checkPlace(project, connection)
    await forwardUntilStopped(wanted, connection, tools, { transport })
  },
})

const startAgent = command({
  path: 'agent start',
  summary: 'Start the background agent where none is running; kept tunnels come back',
  examples: ['pharos agent start', '@reboot pharos agent start'],
  options: z.object({}),
  async run(_, tools) {
    const status = await askStarted(tools, (agent) => agent.status())
    tools.out.result(
      status,
      () => `The background agent runs as process ${status.pid}, with ${count(status.tunnels.length)}.`,
    )
  },
})

const stopAgent = command({
  path: 'agent stop',
  summary: 'End the background agent and its tunnels; those that are kept come back with it',
  examples: ['pharos agent stop', 'pharos agent stop --json'],
  options: z.object({}),
  async run(_, { stateHome, out }) {
    let stopped = true
    try {
      await new LocalAgent(await backgroundFolder(stateHome)).stop()
    } catch (error) {
      if (!(error instanceof NoAgent)) throw error
      stopped = false
    }
    out.result({ stopped }, () => (stopped ? 'The background agent ends.' : 'No background agent is running.'))
  },
})

const serveAgent = command({
  path: 'agent serve',
  summary: 'Be the background agent, in the foreground: for service managers',
  flags: [['--until-idle', 'end when there are no tunnels left']],
  examples: ['pharos agent serve', 'pharos agent serve --until-idle'],
  handlesInterrupt: true,
  options: z.object({ untilIdle: z.boolean().default(false) }),
  run: (options, tools) => serveBackground(tools, options),
})

const count = (tunnels: number): string => (tunnels === 1 ? '1 tunnel' : `${tunnels} tunnels`)

export const agentCommands = [runAgent, startAgent, stopAgent, serveAgent]

import { z } from 'zod'
import { command, UsageError } from '../../command.ts'
import { facts, table } from '../../output.ts'
import { logWords } from '../log-levels/words.ts'

const list = command({
  path: 'edges list',
  summary: 'List the edges that agents can link to',
  examples: ['pharos edges list'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.edges()
    out.result(reply, () =>
      table(
        ['id', 'address', 'host names end in', 'region', 'state'],
        reply.edges.map(({ id, host, port, base, region, online }) => [
          id,
          `${host}:${port}`,
          base,
          region,
          online ? 'online' : 'away',
        ]),
      ),
    )
  },
})

const show = command({
  path: 'edges show',
  summary: 'Show one edge: where it is reached, what is open there, and whether it is here',
  args: [['<edge>', 'its name or id']],
  examples: ['pharos edges show frankfurt', 'pharos edges show edge_4k2j9x0q1m5v7c3d --json'],
  options: z.object({ edge: z.string().min(1) }),
  async run({ edge: meant }, { connect, out }) {
    const { client } = await connect()
    const edge = await client.edge({ params: { edge: meant } })
    const { levels } = await client.logLevels()
    const { serves } = edge
    out.result(edge, () =>
      facts([
        ['id', edge.id],
        ['name', edge.name],
        [
          'state',
          edge.online
            ? edge.draining
              ? 'online, ends soon'
              : 'online'
            : edge.lastLinked === null
              ? 'away, was never here'
              : `away, was last linked ${edge.lastLinked}`,
        ],
        ['runs', serves?.software ?? null],
        ['reached at', serves && `${serves.host}, agents at port ${serves.linkPort}`],
        ['host names', serves && `end in ${serves.base}, ${serves.scheme} at port ${serves.httpPort}`],
        ['Minecraft', serves && (serves.minecraftPort === null ? 'no port for it' : `port ${serves.minecraftPort}`)],
        ['raw ports', serves && `${serves.ports.first}-${serves.ports.last}${serves.udp ? '' : ', no UDP'}`],
        ['region', serves?.region ?? null],
        ['tunnels', String(edge.tunnels)],
        ['connections', String(edge.connections)],
        ['log', logWords(levels, edge.id)],
        ['created', edge.createdAt],
      ]),
    )
  },
})

const create = command({
  path: 'edges create',
  summary: 'Register an edge; what it must know is shown once',
  args: [['<name>', 'what to call it']],
  flags: [['--panel-host <host>', 'how the edge reaches this panel']],
  examples: ['pharos edges create frankfurt --panel-host panel.example.org > pharos.yaml'],
  options: z.object({ name: z.string().min(1), panelHost: z.string().min(1).default('127.0.0.1') }),
  async run({ name, panelHost }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.createEdge({ body: { name } })
    out.talk(
      'Put this into pharos.yaml in the edge’s data folder, readable by its user alone, and run "pharos edge" there:',
    )
    out.result(reply, () =>
      [
        `edge-panels: ['${panelHost}:${reply.panel.port}#${reply.panel.pin}']`,
        `edge-credential: ${reply.credential}`,
      ].join('\n'),
    )
  },
})

const remove = command({
  path: 'edges delete',
  summary: 'Forget an edge; its credential stops working at once',
  args: [['<id>', 'as "pharos edges list" shows it']],
  flags: [['-y, --yes', 'yes, its tunnels end']],
  examples: ['pharos edges delete edge_4k2j9x0q1m5v7c3d --yes'],
  options: z.object({ id: z.string().min(1), yes: z.boolean().default(false) }),
  async run({ id, yes }, { connect, out }) {
    if (!yes) throw new UsageError(`The tunnels that go through ${id} end. Add --yes to do it.`)
    const { client } = await connect()
    const reply = await client.deleteEdge({ params: { edge: id } })
    out.result(reply, () => `${reply.id} is forgotten.`)
  },
})

export const edgeCommands = [list, show, create, remove]

import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { type Connection, command, type Tools, UsageError } from '../../command.ts'
import { findNode, labelsOf } from '../nodes/find.ts'
import { followServer } from './follow.ts'
import { describe } from './show.ts'
import { untilReady } from './until-ready.ts'

export const createServer = command({
  path: 'servers create',
  summary: 'Create a server, and follow its installation until it runs',
  args: [['<name>', 'what to call it']],
  flags: [
    ['-t, --template <id>', 'what kind of server: see "pharos templates list"'],
    ['--memory <MiB>', 'memory limit'],
    ['--disk <MiB>', 'disk limit'],
    ['--cpu <cores>', 'CPU limit'],
    ['--set <NAME=value...>', 'variables of the template'],
    ['--node <node>', 'the machine it shall run on: name or id'],
    ['--label <name=value...>', 'labels that its machine must have, such as region=eu'],
    ['--runtime <kind>', 'sandbox or docker (a container); as its template and node have it unless given'],
    ['--image <name>', 'a container image, in place of its template’s first'],
    ['--no-start', 'leave it stopped once it is installed'],
    ['--no-restart', 'leave it stopped when it crashes'],
    ['--no-wait', 'return at once, while it still installs'],
  ],
  examples: [
    'pharos servers create survival --template minecraft',
    'pharos servers create modded --template paper --runtime docker --image ghcr.io/parkervcp/yolks:java_21',
    'pharos servers create rails --template openttd --memory 512 --set "SERVER_PASSWORD=…" --no-wait --json',
  ],
  options: z.object({
    name: z.string().min(1),
    template: z.string('name a template; "pharos templates list" lists them'),
    memory: z.coerce.number().int().positive().optional(),
    disk: z.coerce.number().int().positive().optional(),
    cpu: z.coerce.number().positive().optional(),
    set: z.array(z.string()).default([]),
    node: z.string().optional(),
    label: z.array(z.string()).default([]),
    runtime: z.enum(['sandbox', 'docker']).optional(),
    image: z.string().min(1).optional(),
    start: z.boolean(),
    restart: z.boolean(),
    wait: z.boolean(),
  }),
  async run({ name, template, memory, disk, cpu, set, node, label, runtime, image, start, restart, wait }, tools) {
    const connection = await tools.connect()
    const resources = { ...(memory && { memory }), ...(disk && { disk }), ...(cpu && { cpu }) }
    const created = await connection.client.createServer({
      body: {
        name,
        template,
        start,
        restartOnCrash: restart,
        ...(Object.keys(resources).length > 0 && { resources }),
        ...(set.length > 0 && { variables: variables(set) }),
        ...(node !== undefined && { node: /^node_/.test(node) ? node : (await findNode(connection, node)).id }),
        ...(runtime !== undefined && { runtime }),
        ...(image !== undefined && { image }),
        ...(label.length > 0 && { placement: { labels: labelsOf(label) } }),
      },
    })
    tools.out.talk(`${created.id} created`)
    const server = wait ? await ready(connection, created.id, start, tools) : created
    tools.out.result(server, () => describe(server))
  },
})

/** The server, once it is where it was asked to be. */
async function ready(connection: Connection, id: string, start: boolean, { out, signal }: Tools) {
  const serverId = id.replace('servers/', '')
  const talk = (line: string): void => out.talk(line)
  const events = await followServer(connection, { serverId, backlog: 0 }, { signal, talk, clock: systemClock })
  const reached = await untilReady(events, { id, start, talk })
  return { ...(await connection.client.server({ params: { serverId } })), ...reached }
}

/** What `--set` was given. */
export function variables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--set takes NAME=value; "${pair}" has no name.`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

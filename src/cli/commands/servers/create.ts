import { z } from 'zod'
import { ApiError } from '../../../client/index.ts'
import { CommandError, type Connection, command, type Tools, UsageError } from '../../command.ts'
import { findNode, labelsOf } from '../nodes/find.ts'
import { describe } from './show.ts'

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
    const server = wait ? await untilReady(connection, created.id, start, tools) : created
    tools.out.result(server, () => describe(server))
  },
})

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

/** Tells what happens until the server is where it was asked to be. Throws a `CommandError` when that failed. */
async function untilReady(connection: Connection, id: string, start: boolean, { out, signal }: Tools) {
  const serverId = id.replace('servers/', '')
  const read = () => connection.client.server({ params: { serverId } })
  // The socket first, then the state: nothing can happen between the two unseen.
  const events = await connection.serverEvents({ params: { serverId }, query: { backlog: 0 } }, signal)
  try {
    let last = ''
    let wasStarting = false
    let now = await read()
    const messages = events[Symbol.asyncIterator]()
    for (;;) {
      const words = `${now.status}${now.message ? `: ${now.message}` : ''}`
      if (words !== last) out.talk(words)
      last = words
      wasStarting ||= now.status === 'starting'
      if (now.status === 'running' || (!start && now.status === 'offline')) return now
      if (now.status === 'install_failed') throw failed(now, 'could not be installed')
      // One that could not even be tried, for want of its port, was never starting: its message says so.
      if (now.status === 'offline' && (wasStarting || (start && now.message !== null)))
        throw failed(now, 'did not start')
      for (;;) {
        const next = await messages.next().catch((error: unknown) => {
          if (error instanceof ApiError && error.code === 'unreachable') return null
          throw error
        })
        signal.throwIfAborted()
        if (next === null || next.done)
          throw new CommandError(`The panel went away; ${id} goes on by itself: "pharos servers show ${serverId}".`)
        if (next.value.type === 'console') for (const line of next.value.lines) out.talk(`  ${line.text}`)
        if (next.value.type === 'deleted') throw new CommandError(`${id} was deleted.`)
        if (next.value.type === 'status') break
      }
      now = await read()
    }
  } finally {
    events.close()
  }
}

const failed = ({ id, message }: { id: string; message: string | null }, what: string): CommandError =>
  new CommandError(
    `${id} ${what}${message ? `: ${message}` : '.'}\n"pharos servers console ${id.replace('servers/', '')}" shows its log.`,
  )

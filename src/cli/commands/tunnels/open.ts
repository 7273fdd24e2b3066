import { z } from 'zod'
import { Port } from '../../../contract/fields.ts'
import type { OpenBody } from '../../background/messages.ts'
import { askStarted } from '../../background/start.ts'
import { type Connection, command, type Tools, UsageError } from '../../command.ts'
import { nameFrom } from '../../names/name-source.ts'
import { qrCode } from '../../output.ts'
import { checkPlace, findProject, nameOf, type Project, projectFileName } from '../../project-file.ts'
import { askedFor, tunnelFlags, tunnelOptions } from './asking.ts'
import { forwardUntilStopped, Transport, transportHelp } from './forwarding.ts'
import { type Asked, wantedOf } from './requests.ts'

const Options = z.object({
  port: z.string().min(1).optional(),
  ...tunnelOptions,
  transport: Transport.optional(),
  detach: z.boolean().default(false),
  keep: z.boolean().default(false),
  qr: z.boolean().default(false),
})

export const openTunnel = command({
  path: 'open',
  summary: 'Put a local port on the internet, until Ctrl-C or in the background',
  description: `Without a port it opens what ${projectFileName} of this folder, or of one above, says; with a name, that tunnel of it.`,
  args: [['[port]', `the local port; with --ports, the first of them. Or the name of a tunnel in ${projectFileName}`]],
  flags: [
    ...tunnelFlags,
    ['--transport <way>', transportHelp],
    ['-d, --detach', 'leave it to the background agent, which goes on when this terminal is closed'],
    ['--keep', 'with --detach: it comes back whenever the background agent does'],
    ['--qr', 'show the address as a QR code, too'],
  ],
  examples: [
    'pharos open 3000 --as web',
    'pharos open 3000 --from branch --qr',
    'pharos open 3000 --as web --detach --keep',
    'pharos open 25565 --minecraft --as survival',
    'pharos open 30000 --udp --ports 3 --as game',
    'pharos open 7777 --tcp --udp --edge-port 30015 --as arena',
    'pharos open 8443 --tls --as mail --proxy-protocol v2',
    'pharos open 50051 --http2 --as api',
    'pharos open 8080 --host 192.168.1.7',
    'pharos open 3000 --transport websocket',
    'pharos open',
  ],
  handlesInterrupt: true,
  options: Options,
  async run({ port, transport, detach, keep, qr, ...flags }, tools) {
    if (keep && !detach) throw new UsageError('--keep is for --detach: what runs here ends with this command.')
    const found = port !== undefined && /^[0-9]+$/.test(port) ? null : await projectHere(port, tools)
    const tunnels = found ? await askedInProject(found, port) : [await askedHere(flags, Number(port), tools.cwd)]
    const connection = await tools.connect()
    if (found) await checkPlace(found, connection)
    const way = transport ?? found?.file.transport ?? 'auto'
    if (detach) await openDetached(tunnels, connection, tools, { transport: way, keep, qr })
    else await forwardUntilStopped(tunnels.map(wantedOf), connection, tools, { transport: way, qr })
  },
})

async function projectHere(named: string | undefined, { cwd, env }: Tools): Promise<Project> {
  const project = await findProject(cwd, env)
  if (project) return project
  throw new UsageError(
    named === undefined
      ? `Which port? Say it ("pharos open 3000"), or write it down once: "pharos link 3000 --as web" makes ${projectFileName} here.`
      : `"${named}" is no port, and there is no ${projectFileName} here or above that could have a tunnel of this name.`,
  )
}

async function askedInProject(project: Project, named: string | undefined): Promise<Asked[]> {
  const tunnels: Asked[] = []
  for (const { from: _from, ...entry } of project.file.tunnels)
    tunnels.push({ ...entry, name: await nameOf(project, { ...entry, from: _from }) })
  const wanted = tunnels.filter(({ name }) => named === undefined || name === named)
  if (wanted.length > 0) return wanted
  throw new UsageError(
    named === undefined
      ? `${project.path} has no tunnels yet. "pharos link 3000 --as web" adds one.`
      : `${project.path} has no tunnel "${named}". It has: ${tunnels.map(({ name }) => name).join(', ') || 'none'}.`,
  )
}

async function askedHere(flags: Parameters<typeof askedFor>[0], port: number, cwd: string): Promise<Asked> {
  const parsed = Port.safeParse(port)
  if (!parsed.success) throw new UsageError(`<port>: ${parsed.error.issues[0]?.message}`)
  const name = flags.as ?? (flags.from ? await nameFrom(flags.from, cwd) : `port-${port}`)
  return askedFor(flags, name, port)
}

async function openDetached(
  tunnels: readonly Asked[],
  { url, key }: Connection,
  tools: Tools,
  { transport, keep, qr }: Pick<OpenBody, 'transport' | 'keep'> & { qr: boolean },
): Promise<void> {
  const account = { url, key: key.reveal() }
  for (const asked of tunnels) {
    // JSON leaves out what is undefined.
    const opened = await askStarted(tools, (agent) => agent.open({ account, tunnel: asked, transport, keep }))
    const udpToo = asked.kind === 'tcp+udp' ? ' and over UDP' : ''
    tools.out.event(
      { name: opened.name, url: opened.url, local: opened.local },
      () => `${opened.url}${udpToo} -> ${opened.local}`,
    )
    if (qr && opened.url !== null) tools.out.talk(qrCode(opened.url))
  }
  tools.out.talk(
    `In the background${keep ? ', and back whenever the background agent is' : ''}. "pharos list" shows it, "pharos close ${tunnels[0]?.name}" ends it.`,
  )
}

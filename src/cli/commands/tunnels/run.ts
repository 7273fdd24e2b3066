import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { AgentEvent, LocalTarget } from '../../../agent/index.ts'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { CommandError, command, ProgramEnded, type Tools, UsageError } from '../../command.ts'
import { nameFrom, nameSources } from '../../names/name-source.ts'
import { qrCode } from '../../output.ts'
import { checkPlace, findProject, nameOf, type Project } from '../../project-file.ts'
import { type Child, startChild } from '../../run/child.ts'
import { prepare } from '../../run/dev-server.ts'
import { choosePort, type FoundPort } from '../../run/found-port.ts'
import { answers, freePort, isFree } from '../../run/free-port.ts'
import { canSeeListeners, listenersOf, processTree } from '../../run/listeners.ts'
import { projectIn } from '../../run/project.ts'
import { inWords, linkToEdges, seldom, Transport, transportHelp } from './forwarding.ts'

/** How often it is looked whether the command listens, ms. */
const lookEveryMs = 200

/** A command that opened another port than it was told has opened all of them by then, ms. */
const settleMs = 2_000

/** Some dev servers compile for a minute before they listen; now and then it is said what is waited for, ms. */
const remindEveryMs = 30_000

export const runProgram = command({
  path: 'run',
  summary: 'Run a command, and put what it listens on on the internet until it ends',
  description:
    'The command finds PORT, PHAROS_URL (its public address) and PHAROS_TUNNEL_HOST in its environment, and what common dev servers need to accept that host: Vite and what is made of it, webpack, Create React App, Rails and more. Hot reload works. Where it listens on another port, that one is found (on Linux). Exits as the command does.',
  args: [['<command...>', 'the command and its arguments']],
  flags: [
    ['--as <name>', 'the tunnel’s name; that of the folder unless given'],
    ['--from <source>', 'take the name from the directory, the repository, its branch or its worktree'],
    ['--port <port>', 'where the command listens, if it has a port of its own'],
    ['--transport <way>', transportHelp],
    ['--qr', 'show the address as a QR code, too'],
  ],
  examples: [
    'pharos run -- npm run dev',
    'pharos run npx vite',
    'pharos run --as shop --qr -- npm start',
    'pharos run --from branch -- bin/rails server',
    'pharos run --port 8000 -- python3 manage.py runserver 8000',
  ],
  handlesInterrupt: true,
  runsProgram: true,
  options: z.object({
    command: z.array(z.string()).min(1),
    as: TunnelName.optional(),
    from: z.enum(nameSources).optional(),
    port: z.coerce.number().pipe(Port).optional(),
    transport: Transport.optional(),
    qr: z.boolean().default(false),
  }),
  async run({ command: words, as, from, port: fixed, transport, qr }, tools) {
    const { out, cwd, env, signal } = tools
    const project = await findProject(cwd, env)
    const usual = await usualOf(project, as, from)
    const name = as ?? (from ? await nameFrom(from, cwd) : (usual?.name ?? (await nameFrom('directory', cwd))))
    const port = await portFor(fixed, usual?.port, env.PORT)
    const connection = await tools.connect()
    if (project) await checkPlace(project, connection)

    await using closer = new AsyncDisposableStack()
    // Visitors are led where the command turns out to listen; until then they are told that nothing does.
    const target: LocalTarget = { host: 'localhost', port }
    const { opened, onEvent } = follow(tools)
    closer.use(
      await linkToEdges(connection, {
        tunnels: [{ id: name, request: { kind: 'http', name }, target }],
        transport: transport ?? project?.file.transport ?? 'auto',
        onEvent,
      }),
    )
    const url = await Promise.race([opened, aborted(signal)])
    if (url === null) throw new ProgramEnded(130)

    const host = new URL(url).hostname
    const prepared = prepare({ command: words, port, host, project: await projectIn(cwd) })
    if (prepared.advice !== null) out.talk(prepared.advice)
    const child = await startChild({
      command: prepared.command,
      env: {
        ...env,
        ...prepared.env,
        PHAROS_URL: url,
        PHAROS_TUNNEL_HOST: host,
        // Inside, commands of ours still talk to the panel.
        PHAROS_PANEL_URL: connection.url,
      },
      cwd,
      outputTo: out.asJson ? 'stderr' : 'stdout',
    }).catch((error: NodeJS.ErrnoException) => {
      out.talk(`pharos: ${cannotRun(words[0] ?? '', error)}`)
      throw new ProgramEnded(error.code === 'ENOENT' ? 127 : 126)
    })
    const ending = endWith(child, tools)
    const found = await listening(child, port, fixed !== undefined, tools)
    if (found) {
      Object.assign(target, { host: found.host, port: found.port })
      if (found.others.length > 0) out.talk(`It listens on ${found.others.join(' and ')}, too; choose with --port.`)
      const local = `${found.host}:${found.port}`
      out.event({ name, url, local }, () => `${url} -> ${local}`)
      if (qr) out.talk(qrCode(url))
    }
    const code = await child.ended
    await ending.done()
    throw new ProgramEnded(code)
  },
})

/** What the project's file says of its one tunnel by host name; of several none is the usual one. */
async function usualOf(
  project: Project | null,
  as: string | undefined,
  from: string | undefined,
): Promise<{ name: string; port: number } | null> {
  const entries = project?.file.tunnels.filter(({ kind }) => kind === 'http') ?? []
  for (const entry of entries) {
    const name = project && (as !== undefined || entries.length === 1) ? await nameOf(project, entry) : null
    if (name !== null && from === undefined && (as === undefined || as === name)) return { name, port: entry.port }
  }
  return null
}

/** Throws a `UsageError` where the port that was asked for is in use. */
async function portFor(
  fixed: number | undefined,
  usual: number | undefined,
  variable: string | undefined,
): Promise<number> {
  const named = Port.safeParse(Number(variable))
  const wanted = fixed ?? (variable && named.success ? named.data : undefined)
  if (wanted !== undefined) {
    if (await isFree(wanted)) return wanted
    throw new UsageError(
      `Port ${wanted} is already in use on this machine. Stop what uses it, or choose another one with --port; "pharos open ${wanted}" puts what runs there on the internet.`,
    )
  }
  return usual !== undefined && (await isFree(usual)) ? usual : await freePort()
}

/** Tells what happens to the tunnel, and when it opened first. */
function follow({ out, now }: Tools): { opened: Promise<string>; onEvent(event: AgentEvent): void } {
  const opened = Promise.withResolvers<string>()
  const complain = seldom((line) => out.talk(line), now)
  let isOpen = false
  return {
    opened: opened.promise,
    onEvent(event) {
      switch (event.type) {
        case 'opened':
          if (isOpen) complain(inWords(event))
          isOpen = true
          opened.resolve(event.url)
          return
        case 'refused':
        case 'closed':
        case 'down':
          if (!isOpen && isFinal(event)) opened.reject(new CommandError(inWords(event)))
          else complain(inWords(event))
          return
        case 'unreachable':
          complain(inWords(event))
          return
        case 'up':
          return
      }
    },
  }
}

function isFinal(event: Extract<AgentEvent, { type: 'refused' | 'closed' | 'down' }>): boolean {
  if (event.type === 'refused') return event.retryMs === null
  return event.type === 'closed' || event.code === 'unauthorized'
}

const aborted = (signal: AbortSignal): Promise<null> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })

/** Ends the command when this one is told to end. A terminal tells both of a Ctrl-C. */
function endWith(child: Child, { signal, atTerminal }: Tools): { done(): Promise<void> } {
  let ending: Promise<void> = Promise.resolve()
  const end = (): void => {
    const name = signalIn(signal.reason)
    ending = child.end(name, name === 'SIGINT' && atTerminal)
  }
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  return {
    async done() {
      signal.removeEventListener('abort', end)
      await ending
    },
  }
}

/** `interrupted by SIGTERM` */
function signalIn(reason: unknown): NodeJS.Signals {
  const name = reason instanceof Error ? /SIG[A-Z]+$/.exec(reason.message)?.[0] : undefined
  return name === 'SIGINT' || name === 'SIGHUP' ? name : 'SIGTERM'
}

/** Waits until the command listens; null where it ends before. */
async function listening(child: Child, wanted: number, fixed: boolean, { out, now }: Tools): Promise<FoundPort | null> {
  let over = false
  void child.ended.then(() => {
    over = true
  })
  const visible = await canSeeListeners()
  const begun = now()
  let firstAt: number | null = null
  let remindedAt = begun
  while (!over) {
    if (visible) {
      const listeners = await listenersOf(await processTree(child.pid))
      if (listeners.length > 0) firstAt ??= now()
      const settled = !fixed && firstAt !== null && now() - firstAt >= settleMs
      const found = choosePort(listeners, wanted, settled)
      if (found) return found
    }
    // Where the system does not tell, or what listens is no child of the command: a container, a daemon.
    if ((!visible || now() - begun >= settleMs) && (await answers(wanted)))
      return { host: 'localhost', port: wanted, others: [] }
    if (now() - remindedAt >= remindEveryMs) {
      remindedAt = now()
      out.talk(`Waiting for the command to listen on port ${wanted}; if it has another one, say so with --port.`)
    }
    await Promise.race([sleep(lookEveryMs), child.ended])
  }
  return null
}

const cannotRun = (program: string, error: NodeJS.ErrnoException): string =>
  error.code === 'ENOENT'
    ? `There is no command "${program}": neither in the path nor in node_modules/.bin here or above.`
    : `"${program}" cannot be run: ${error.message}`

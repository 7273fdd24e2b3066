import { basename } from 'node:path'

/** What is known before a command is started. */
export interface Situation {
  /** The words of the command. */
  command: readonly string[]
  /** Where it is to listen. */
  port: number
  /** The tunnel's host name; null where it has none. */
  host: string | null
  /** Of the `package.json` in the folder; null where there is none. */
  project: Project | null
}

export interface Project {
  scripts: Readonly<Record<string, string>>
  /** The names of everything it depends on, also while it is developed. */
  packages: ReadonlySet<string>
  /** It asks the dev server of Create React App to pass requests on. */
  proxies: boolean
}

export interface Preparation {
  command: string[]
  env: Record<string, string>
  /** What this project must know that no variable and no flag can tell it. */
  advice: string | null
}

/**
 * How a command is started so that it listens on the port and answers to the tunnel's host name: variables that dev servers
 * read, and flags of those that read none. Files are never touched, and what the command says itself wins.
 */
export function prepare({ command, port, host, project }: Situation): Preparation {
  const tool = toolIn(command, project)
  const flags = tool && !namesPort(tool.words) ? flagsOf(tool, port, host) : []
  const between = flags.length > 0 && tool?.runner === 'npm' && !command.includes('--') ? ['--'] : []
  return {
    command: [...command, ...between, ...flags],
    env: {
      PORT: String(port),
      // Flask, Uvicorn and Laravel read variables of their own.
      FLASK_RUN_PORT: String(port),
      UVICORN_PORT: String(port),
      SERVER_PORT: String(port),
      // Create React App: the page asks for hot reload where it came from, not at the local port.
      WDS_SOCKET_PORT: '0',
      ...(host !== null && {
        // Vite and everything on top of it; a list since Vite 7, one name before.
        __VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS: host,
        RAILS_DEVELOPMENT_HOSTS: host,
      }),
      // With a proxy it answers to one address of this machine alone, and there is no list of names to add to.
      ...(host !== null &&
        project?.packages.has('react-scripts') &&
        project.proxies && { DANGEROUSLY_DISABLE_HOST_CHECK: 'true' }),
    },
    advice: host === null ? null : adviceFor(tool, host),
  }
}

interface Tool {
  /** `vite`, `manage.py`; without folder. */
  name: string
  /** Its arguments. */
  words: readonly string[]
  /** `npm` hands only what follows `--` on to a script; the others everything. */
  runner: 'npm' | 'other' | null
}

/** The program behind `npx vite dev`, `pnpm exec vite`, `npm run dev` and the like; null where that cannot be told. */
function toolIn(command: readonly string[], project: Project | null): Tool | null {
  const [first = '', ...rest] = command
  const name = basename(first)
  const tool = (words: readonly string[], runner: Tool['runner']): Tool | null =>
    words[0] === undefined ? null : { name: basename(words[0]), words: words.slice(1), runner }
  if (name === 'npx' || name === 'bunx' || name === 'pnpx') return tool(withoutYes(rest), null)
  if (['npm', 'pnpm', 'yarn', 'bun'].includes(name)) {
    const runner = name === 'npm' ? 'npm' : 'other'
    const [verb = '', ...after] = rest
    if (['exec', 'x', 'dlx'].includes(verb))
      return tool(
        withoutYes(after).filter((word) => word !== '--'),
        null,
      )
    const named = verb === 'run' || verb === 'run-script' ? after[0] : verb
    const script = named === undefined ? undefined : project?.scripts[named]
    if (script !== undefined) return tool([...wordsOf(script), ...(verb === named ? after : after.slice(1))], runner)
    return runner === 'npm' ? null : tool(rest, null)
  }
  if (/^python[0-9.]*$/.test(name)) return tool(rest[0] === '-m' ? rest.slice(1) : rest, null)
  if (name === 'node' || name === 'bundle' || name === 'uv' || name === 'poetry')
    return tool(rest[0] === 'exec' || rest[0] === 'run' ? rest.slice(1) : rest, null)
  return tool(command, null)
}

const withoutYes = (words: readonly string[]): readonly string[] => {
  const begin = words.findIndex((word) => word !== '-y' && word !== '--yes' && word !== '--')
  return begin === -1 ? [] : words.slice(begin)
}

/** Of a script that is one plain command; nothing where a shell has more to do than to start it. */
function wordsOf(script: string): string[] {
  if (/[&|;<>$`"'(\\]/.test(script)) return []
  const words = script.trim().split(/\s+/)
  const begin = words.findIndex((word) => word !== 'cross-env' && !/^[A-Z_][A-Z0-9_]*=/i.test(word))
  return begin === -1 ? [] : words.slice(begin)
}

const namesPort = (words: readonly string[]): boolean => words.some((word) => /^(--port|-p)(=|$)/.test(word))

/** Of programs that take no variable for their port, or for the names they answer to. */
function flagsOf({ name, words }: Tool, port: number, host: string | null): string[] {
  const verb = words.find((word) => !word.startsWith('-'))
  const verbIs = (...verbs: (string | undefined)[]): boolean => verbs.includes(verb)
  switch (name) {
    case 'vite':
      return verb === 'build' || verb === 'optimize' ? [] : ['--port', String(port), '--strictPort']
    case 'astro':
      return verbIs('dev', 'preview') ? ['--port', String(port)] : []
    case 'react-router':
      return verbIs('dev') ? ['--port', String(port)] : []
    case 'remix':
      return verbIs('vite:dev') ? ['--port', String(port)] : []
    case 'ng':
      return verbIs('serve', 's', 'dev') ? ['--port', String(port)] : []
    case 'storybook':
      return verbIs('dev') ? ['--port', String(port)] : []
    case 'webpack':
    case 'webpack-dev-server':
      if (name === 'webpack' && !verbIs('serve', 's', 'server')) return []
      return [
        ...['--port', String(port), '--client-web-socket-url-port', '0'],
        ...(host === null ? [] : ['--allowed-hosts', host]),
      ]
    case 'manage.py':
      return words.at(-1) === 'runserver' ? [`127.0.0.1:${port}`] : []
    default:
      return []
  }
}

/** Names under `localhost` are let in by all of them. */
function adviceFor(tool: Tool | null, host: string): string | null {
  if (!tool || /(^|\.)localhost$/.test(host)) return null
  if (tool.name === 'next' && !tool.words.includes('start'))
    return `Next.js takes hot reload only from hosts that its configuration names: add allowedDevOrigins: ['${host}'] to next.config.js.`
  if (tool.name === 'manage.py')
    return "Django answers only to hosts that its settings name: add os.environ.get('PHAROS_TUNNEL_HOST', '') to ALLOWED_HOSTS, and os.environ.get('PHAROS_URL', '') to CSRF_TRUSTED_ORIGINS."
  return null
}

import { isAbsolute, resolve } from 'node:path'
import { Command as Commander, Option } from 'commander'
import { resolveSettings } from '../settings/resolve.ts'
import { allSettings, edgeSettings, joinSettings, nodeSettings, panelSettings, upSettings } from '../settings/roles.ts'
import { keyOf, type Settings, type Values, variableOf } from '../settings/setting.ts'
import { UsageError } from './command.ts'
import { accountVariables } from './connection.ts'
import { readSecret } from './stdin.ts'
import { defaultDataDir, type RoleSession, type Surroundings, type WithDataDir } from './surroundings.ts'

/** The commands that start a role. Their flags, variables and keys in the file all come from the role's settings. */
export function roleCommands(surroundings: Surroundings): Commander[] {
  const { roles } = surroundings
  const node = roleCommand('node', 'Run the servers of this machine; "pharos node join" comes first', nodeSettings, {
    examples: ['pharos node', 'pharos node --data-dir /srv/pharos-node'],
    surroundings,
    start: (settings, session) => roles.node(settings, session),
  })
  const join = roleCommand(
    'join',
    'Make this machine a node of a panel: asks for the token that "pharos nodes create" printed, or reads it from standard input',
    joinSettings,
    {
      examples: [
        'pharos node join',
        'echo phj_… | pharos node join',
        'pharos node join --join-token-file /run/secrets/join-token',
      ],
      argument: ['[token]', 'refused: a token is a secret, and every user of a machine can read command lines'],
      surroundings,
      async start({ joinToken, ...settings }, session, argument) {
        if (argument !== '')
          throw new UsageError(
            'A join token is a secret, and every user of this machine can read command lines. Run "pharos node join" and paste it when it asks, or: echo phj_… | pharos node join',
          )
        const token = joinToken?.reveal() ?? (await readSecret(surroundings.stdin, 'Paste the join token'))
        if (token === '')
          throw new UsageError(
            'No join token came on standard input: "pharos nodes create <name>" at the panel prints one.',
          )
        await roles.joinNode(settings, token, session)
      },
    },
  )
  return [
    roleCommand('up', 'Run panel, node and edge in one process, with nothing to configure', upSettings, {
      examples: [
        'pharos up',
        'pharos up --port 9000 --data-dir ~/pharos',
        'pharos up --host 0.0.0.0 --edge-host 203.0.113.7',
      ],
      surroundings,
      start: (settings, session) => roles.up(settings, session),
    }),
    roleCommand('panel', 'Run the panel alone', panelSettings, {
      examples: ['pharos panel --host 0.0.0.0 --public-url https://panel.example.org'],
      surroundings,
      start: (settings, session) => roles.panel(settings, session),
    }),
    node.addCommand(join),
    roleCommand('edge', 'Run an edge alone', edgeSettings, {
      examples: ['pharos edge --edge-host edge.example.org --edge-base tunnels.example.org'],
      surroundings,
      start: (settings, session) => roles.edge(settings, session),
    }),
  ]
}

interface RoleCommand<S extends Settings> {
  examples: readonly string[]
  argument?: readonly [syntax: string, help: string]
  surroundings: Surroundings
  start(settings: WithDataDir<Values<S>>, session: RoleSession, argument: string): Promise<void>
}

function roleCommand<S extends Settings>(
  name: string,
  summary: string,
  settings: S,
  { examples, argument, surroundings, start }: RoleCommand<S>,
): Commander {
  const commander = new Commander(name)
    .summary(summary)
    .description(summary)
    // `node join` has the flags of `node`: each belongs to the word that it follows.
    .enablePositionalOptions()
  if (argument) commander.argument(...argument)
  for (const [setting, { help, expected, default: preset, secret }] of Object.entries(settings)) {
    const flag = secret ? `${keyOf(setting)}-file` : keyOf(setting)
    const takes = secret ? 'a file that holds it' : expected
    commander.addOption(new Option(`--${flag} <value>`, `${help} (${takes})${preset ? ` [${preset}]` : ''}`))
  }
  commander.option(
    '--config <file>',
    'a YAML file of the same settings, without their hyphens in front [pharos.yaml in the data folder]',
  )
  const variables = Object.keys(settings).map(variableOf)
  commander.addHelpText(
    'after',
    `\nEach setting is also a variable (${variables[0]}, …) and a key in the file. Flags win over variables, variables over the file.${
      Object.values(settings).some(({ secret }) => secret)
        ? `\nSecrets are never flags: ${Object.entries(settings)
            .filter(([, { secret }]) => secret)
            .map(([setting]) => `${variableOf(setting)}, or ${variableOf(setting)}_FILE`)
            .join('; ')}.`
        : ''
    }\n\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`,
  )
  commander.action(async (...given: unknown[]) => {
    const flags: Record<string, string | undefined> = commander.optsWithGlobals()
    const { root, signal, streams } = surroundings
    await start(
      await settingsOf(settings, flags, surroundings),
      { signal, root, say: (line) => streams.talk(`${line}\n`) },
      typeof given[0] === 'string' ? given[0] : '',
    )
  })
  return commander
}

/** What flags, variables and the file say of these settings, and where the data folder is. */
export async function settingsOf<S extends Settings>(
  settings: S,
  flags: Readonly<Record<string, string | undefined>>,
  surroundings: Surroundings,
): Promise<WithDataDir<Values<S>>> {
  const { env, cwd } = surroundings
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(cwd, path))
  const dataDirOf = (named: string | undefined): string => absolute(named ?? defaultDataDir(surroundings))
  const config = flags.config ?? (env.PHAROS_CONFIG || undefined)
  const values = await resolveSettings(settings, {
    flags,
    env,
    configFile: config === undefined ? undefined : absolute(config),
    defaultFolder: dataDirOf,
    known: allSettings,
    otherVariables: ['PHAROS_CONFIG', ...accountVariables],
  })
  // Every role has `dataDir` among its settings.
  const named = (values as { dataDir?: string }).dataDir
  return { ...values, dataDir: dataDirOf(named) }
}

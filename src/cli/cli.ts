import { readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { Command as Commander, CommanderError, Option } from 'commander'
import { z } from 'zod'
import { ApiError } from '../client/index.ts'
import { AppError } from '../contract/errors.ts'
import { SettingsError } from '../settings/resolve.ts'
import { allSettings, instanceSettings } from '../settings/roles.ts'
import { keyOf } from '../settings/setting.ts'
import { type Command, CommandError, ProgramEnded, UsageError } from './command.ts'
import { commands } from './commands/index.ts'
import type { Grammar } from './completion/grammar.ts'
import { connect } from './connection.ts'
import { createOutput, printable, writableOf } from './output.ts'
import { roleCommands, settingsOf } from './role-commands.ts'
import { readSecret, readText } from './stdin.ts'
import { configHome, defaultDataDir, type Surroundings, stateHome } from './surroundings.ts'

/**
 * What a command ended with: 0 it did it, 1 it could not, 2 it was called wrongly, 130 it was interrupted; `run` ends as its program does.
 */
export type ExitCode = number

/** Runs one command line (without program and script). Never rejects: what goes wrong is said on `talk`. */
export async function runCli(argv: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  try {
    await program(surroundings).parseAsync([...argv], { from: 'user' })
    return 0
  } catch (error) {
    return explain(error, surroundings)
  }
}

function program(surroundings: Surroundings): Commander {
  const { root, streams } = surroundings
  const pharos = new Commander('pharos')
    .description('Runs game servers on any machine and puts them, or any local port, on the internet.')
    .version(versionOf(root))
    // What follows the words of a command is the command's, and what follows a program to run is the program's.
    .enablePositionalOptions()
    .addHelpText('after', '\nStart with "pharos up", then "pharos setup --help" in another terminal.')
  const nouns = new Map<string, Commander>()
  for (const role of roleCommands(surroundings)) pharos.addCommand(role)
  for (const declared of commands) {
    const nounsOfPath = declared.path.split(' ')
    const verb = nounsOfPath.pop() ?? ''
    let group = pharos
    for (const [index, noun] of nounsOfPath.entries()) {
      const path = nounsOfPath.slice(0, index + 1).join(' ')
      const known = nouns.get(path) ?? new Commander(noun).description(`${nounSummaries[path] ?? noun}`)
      if (!nouns.has(path)) group.addCommand(known)
      nouns.set(path, known)
      group = known
    }
    const command = clientCommand(verb, declared, surroundings)
    // Further words may follow it: `agent tunnels.yaml`, `agent stop`.
    nouns.set(declared.path, command)
    group.addCommand(command)
  }
  everyCommand(pharos, (one) =>
    one
      .exitOverride()
      .configureOutput({ writeOut: streams.data, writeErr: streams.talk })
      .showHelpAfterError(`(see "${fullName(one)} --help")`)
      .helpCommand(false),
  )
  return pharos
}

const versionOf = (root: string): string => String(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)

const nounSummaries: Readonly<Record<string, string>> = {
  servers: 'Create, watch and steer game servers',
  files: 'The files of a server',
  backups: 'Copies of a server’s files, to go back to',
  databases: 'Databases of a server',
  schedules: 'What a server does by itself',
  templates: 'The kinds of server',
  'template-sources': 'Where templates are synchronised from',
  tokens: 'The workspace’s API keys',
  access: 'Who may visit a tunnel, and how',
  users: 'Who has an account on this installation',
  abuse: 'What people tell of tunnels that do harm',
  account: 'Your account',
  'account ssh-keys': 'The keys by which SFTP asks for no password',
  'servers users': 'Who else may use a server',
  members: 'Who belongs to the workspace',
  webhooks: 'Who is told of what happens in the workspace',
  'database-hosts': 'The MariaDB and MySQL servers that databases of game servers are made on',
  plans: 'What workspaces may use',
  nodes: 'The machines that run servers',
  edges: 'The public addresses that tunnels go through',
  'log-levels': 'How much panels, nodes and edges log at the moment',
  'edges foreign': 'Edges of others, which speak the published edge contract',
}

function clientCommand(name: string, declared: Command, surroundings: Surroundings): Commander {
  const commander = new Commander(name)
    .summary(declared.summary)
    .description([declared.summary, declared.description].filter(Boolean).join('\n\n'))
    .enablePositionalOptions()
    .passThroughOptions(declared.runsProgram === true)
  for (const [syntax, help] of declared.args ?? []) commander.argument(syntax, help)
  for (const [syntax, help] of declared.flags ?? []) commander.addOption(new Option(syntax, help))
  commander.option('--json', 'print the result as JSON')
  commander.addHelpText('after', `\nExamples:\n${declared.examples.map((example) => `  ${example}`).join('\n')}`)
  commander.action(async (...given: unknown[]) => {
    const names = (declared.args ?? []).map(([syntax]) => syntax.replace(/[<>[\].]/g, ''))
    const { json, ...flags } = commander.opts<{ json?: boolean }>()
    const args = Object.fromEntries(names.map((arg, index) => [arg, given[index]]))
    const parsed = declared.options.safeParse({ ...flags, ...args })
    if (!parsed.success) throw new UsageError(parsed.error.issues.map((issue) => problem(issue, names)).join('\n'))
    const { env, cwd, stdin, signal, streams } = surroundings
    const path = (named: string): string => (isAbsolute(named) ? named : resolve(cwd, named))
    const running = declared.run(parsed.data, {
      connect: () => connect(env),
      version: versionOf(surroundings.root),
      now: () => Date.now(),
      out: createOutput(streams, json === true),
      signal,
      readSecret: (question) => readSecret(stdin, question),
      readText: (bytesMax) => readText(stdin, bytesMax),
      stdio: { input: stdin, output: writableOf(streams.data) },
      configHome: configHome(env),
      stateHome: stateHome(env),
      cwd,
      env,
      self: surroundings.self ?? [],
      atTerminal: stdin.isTTY === true && streams.live === true,
      dataDir: (named) => path(named ?? (env.PHAROS_DATA_DIR || defaultDataDir(surroundings))),
      settings: (flags) => settingsOf(allSettings, { ...flags }, surroundings),
      root: surroundings.root,
      grammar: () => grammarOf(rootOf(commander)),
      instance: (flags) => settingsOf(instanceSettings, { ...flags }, surroundings),
      path,
    })
    await (declared.handlesInterrupt ? running : Promise.race([running, interruption(signal)]))
  })
  return commander
}

const rootOf = (commander: Commander): Commander => (commander.parent ? rootOf(commander.parent) : commander)

function grammarOf(commander: Commander): Grammar {
  const declared = commands.find(({ path }) => `pharos ${path}` === fullName(commander))
  return {
    name: commander.name(),
    summary: commander.summary() || commander.description(),
    flags: [...commander.createHelp().visibleOptions(commander)].flatMap((option) =>
      option.long
        ? [
            {
              long: option.long,
              short: option.short ?? null,
              help: option.description,
              takesValue: option.required || option.optional,
              values: valuesOf(declared, option.attributeName()),
            },
          ]
        : [],
    ),
    commands: commander.commands.map(grammarOf),
    runsProgram: declared?.runsProgram === true,
  }
}

/** What an option may be, where its schema is a list of words. */
function valuesOf(declared: Command | undefined, name: string): string[] | null {
  let schema: unknown = declared?.options instanceof z.ZodObject ? declared.options.shape[name] : undefined
  while (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPipe)
    schema = schema instanceof z.ZodPipe ? schema.in : schema.unwrap()
  return schema instanceof z.ZodEnum ? schema.options.map(String) : null
}

/** Rejects once the person at the terminal has had enough. */
const interruption = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })

/** `--days: Too big: expected number to be <=365` */
function problem({ path, message }: z.core.$ZodIssue, args: readonly string[]): string {
  const name = String(path[0] ?? '')
  return `${args.includes(name) ? `<${name}>` : `--${keyOf(name)}`}: ${message}`
}

function everyCommand(commander: Commander, change: (one: Commander) => void): void {
  change(commander)
  for (const child of commander.commands) everyCommand(child, change)
}

const fullName = (commander: Commander): string =>
  commander.parent ? `${fullName(commander.parent)} ${commander.name()}` : commander.name()

/** Says what went wrong in words for the person, and turns it into an exit code. */
function explain(error: unknown, { signal, streams, env }: Surroundings): ExitCode {
  const say = (text: string): void => {
    for (const line of text.split('\n')) streams.talk(`pharos: ${printable(line)}\n`)
  }
  // Commander has said it already; asking for help or the version is no fault.
  if (error instanceof CommanderError)
    return error.code === 'commander.helpDisplayed' || error.code === 'commander.version' ? 0 : 2
  if (error instanceof ProgramEnded) return error.exitCode
  if (signal.aborted) return 130
  if (error instanceof UsageError || error instanceof SettingsError) {
    say(error.message)
    return 2
  }
  if (error instanceof ApiError) {
    say(error.message)
    for (const { where, problem, expected } of error.details)
      say(`  ${where}: ${problem}${expected ? `; expected ${expected}` : ''}`)
    if (error.code === 'internal' && error.requestId) say(`The panel's log has it as request ${error.requestId}.`)
    return 1
  }
  if (error instanceof CommandError || error instanceof AppError) say(error.message)
  else
    say(
      env.PHAROS_LOG_LEVEL === 'debug' && error instanceof Error
        ? (error.stack ?? '')
        : `Internal error: ${String(error)}`,
    )
  return 1
}

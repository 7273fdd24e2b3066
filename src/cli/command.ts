import type { Readable, Writable } from 'node:stream'
import { z } from 'zod'
import type { Client, LiveSocket } from '../client/index.ts'
import type { publicOperations, publicSockets } from '../contract/api/index.ts'
import type { Arguments } from '../contract/operation.ts'
import type { Secret } from '../lib/secret.ts'
import type { allSettings } from '../settings/roles.ts'
import type { Values } from '../settings/setting.ts'
import type { Grammar } from './completion/grammar.ts'
import type { Output } from './output.ts'
import type { Environment, WithDataDir } from './surroundings.ts'

/** The API as commands use it. */
export interface Connection {
  readonly url: string
  readonly client: Client<typeof publicOperations>
  readonly key: Secret
  /** Live events of one server. */
  serverEvents(
    args: Arguments<(typeof publicSockets)['serverEvents']>,
    signal: AbortSignal,
  ): Promise<LiveSocket<(typeof publicSockets)['serverEvents']>>
}

/** What a command may use besides its options. */
export interface Tools {
  /** The panel, with the key that the environment or the account file gives. Asked for only by commands that need it. */
  connect(): Promise<Connection>
  out: Output
  /** Of this program. */
  version: string
  /** The time, in ms since 1970. */
  now(): number
  /** Aborted by Ctrl-C. */
  signal: AbortSignal
  /** From standard input; at a terminal without echo. */
  readSecret(question: string): Promise<string>
  /** Standard input and output themselves, for a command that speaks a protocol over them. */
  stdio: { input: Readable; output: Writable }
  /** All of standard input, as text of at most so many bytes. */
  readText(bytesMax: number): Promise<string>
  /** The folder of this user's configuration. */
  configHome: string
  /** The folder of what this user's programs remember between runs. */
  stateHome: string
  /** Where the command was called. */
  cwd: string
  /** The variables that it was called with. */
  env: Environment
  /** How this program is started again: a runtime and the file it runs; empty where it cannot be. */
  self: readonly string[]
  /** Both standard input and standard error are a terminal, which tells programs of a Ctrl-C by itself. */
  atTerminal: boolean
  /** The data folder: the one that was named, made absolute, else the usual one. */
  dataDir(named: string | undefined): string
  /** The data folder and the database that flags, variables and the configuration file name, as a role would take them. */
  instance(flags: InstanceFlags): Promise<{ dataDir: string; databaseUrl: Secret | undefined }>
  /** Every setting of every role, as `pharos up`, `panel`, `node` and `edge` would take them. */
  settings(flags: Pick<InstanceFlags, 'dataDir' | 'config'>): Promise<WithDataDir<Values<typeof allSettings>>>
  /** The folder of the program. */
  root: string
  /** Every command and flag there is, those of the roles too. */
  grammar(): Grammar
  /** An absolute path, seen from where the command was called. */
  path(named: string): string
}

/** Of commands that work on an instance: `instanceFlags` declares them. */
export interface InstanceFlags {
  dataDir?: string | undefined
  databaseUrlFile?: string | undefined
  config?: string | undefined
}

export const instanceFlags = [
  ['--data-dir <folder>', 'the data folder'],
  ['--database-url-file <file>', 'a file that holds the URL of the PostgreSQL database, where there is one'],
  ['--config <file>', 'a YAML file of settings [pharos.yaml in the data folder]'],
] as const

export const instanceOptions = {
  dataDir: z.string().min(1).optional(),
  databaseUrlFile: z.string().min(1).optional(),
  config: z.string().min(1).optional(),
}

/** A command: its words, how its options are understood, and what it does. */
export interface Command<Options extends z.ZodType = z.ZodType> {
  /** `servers create` */
  readonly path: string
  readonly summary: string
  readonly description?: string
  /** In order: `<server>`, `[days]`. Their names are keys of `options`. */
  readonly args?: readonly (readonly [syntax: string, help: string])[]
  readonly flags?: readonly (readonly [syntax: string, help: string])[]
  /** Whole command lines. */
  readonly examples: readonly string[]
  /** It ends by itself, in good order, when it is interrupted; other commands are left where they are. */
  readonly handlesInterrupt?: boolean
  /** Its last argument is a command line of another program, whose flags are not ours. */
  readonly runsProgram?: boolean
  readonly options: Options
  run(options: z.output<Options>, tools: Tools): Promise<void>
}

/** Declares a command: the compiler ties what `run` gets to what `options` parses. */
export const command = <Options extends z.ZodType>(declaration: Command<Options>): Command<Options> => declaration

/** A mistake in how a command was called: exit code 2, and a word on how to call it. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** A command ends as a program that it ran has ended, with that one's exit code; it has nothing to add. */
export class ProgramEnded extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super(`the program ended with exit code ${exitCode}`)
    this.name = 'ProgramEnded'
    this.exitCode = exitCode
  }
}

/** A command that could not do what it was asked, for a reason that is fit to be shown. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CommandError'
  }
}

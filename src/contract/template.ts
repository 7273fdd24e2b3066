import { z } from 'zod'
import { displayName, noControls } from './fields.ts'
import { Placement } from './placement.ts'

/**
 * A template says how a kind of server is installed, started, recognised as ready and stopped. It is a data file
 * (`templates/<id>/template.yaml`, with the files it needs beside it); nothing in the code knows a game by name.
 */

/** Variables appear as `{{NAME}}`; these are always there and cannot be set. A template may have a `SERVER_NAME` of its own, since many games do. */
export const builtinVariables = [
  'SERVER_ID',
  'SERVER_NAME',
  'SERVER_PORT',
  /** Where to listen: every address. */
  'SERVER_IP',
  'SERVER_MEMORY_MB',
  /** The same, as eggs know it. */
  'SERVER_MEMORY',
  /** Where other servers of the same node are reached. */
  'HOST_ADDRESS',
  /** The folder of `install.npm`, as the server sees it. */
  'TEMPLATE_DIR',
] as const

const VariableName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
    'must be letters, digits and underscores, at most 64, not beginning with a digit',
  )

/** A regular expression in RE2's syntax: no look-around, no back-references. */
const PatternText = z.string().min(1).max(500)

/** Where a value may also be empty, whatever its rule says of others. */
const optional = z.boolean().optional()

/** What a variable may hold. A value is text in the environment and in files, whatever its rule. */
export const VariableRule = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('text'),
      min: z.int().min(0).default(0),
      max: z.int().max(4096).default(200),
      /** The whole value matches it. */
      pattern: PatternText.optional(),
      /** And these too. */
      patterns: z.array(PatternText).max(10).optional(),
      optional,
    }),
    z.strictObject({ type: z.literal('integer'), min: z.int(), max: z.int(), optional }),
    z.strictObject({ type: z.literal('number'), min: z.number(), max: z.number(), optional }),
    z.strictObject({ type: z.literal('boolean'), optional }),
    z.strictObject({ type: z.literal('choice'), of: z.array(z.string().max(200)).min(1).max(200), optional }),
  ])
  .meta({ id: 'VariableRule' })
export type VariableRule = z.output<typeof VariableRule>

export const TemplateVariable = z
  .strictObject({
    name: VariableName,
    label: displayName(80),
    description: z.string().max(500).default(''),
    default: z.string().max(4096),
    rule: VariableRule,
    access: z.enum(['edit', 'view', 'hidden']).optional().meta({
      description:
        'Who decides: `edit` (the default) whoever may change the start-up, `view` administrators of the installation alone, `hidden` nobody: each server has the template’s value, and only they see it',
    }),
  })
  .meta({ id: 'TemplateVariable' })
export type TemplateVariable = z.output<typeof TemplateVariable>

export const Resources = z
  .strictObject({
    memory: z.int().min(32).max(1_048_576).meta({ description: 'MiB' }),
    disk: z.int().min(16).max(104_857_600).meta({ description: 'MiB' }),
    cpu: z.number().min(0.05).max(1024).meta({ description: 'cores' }),
  })
  .meta({ id: 'Resources' })
export type Resources = z.output<typeof Resources>

export const StopMethod = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('command'), command: z.string().min(1).max(500) }),
  z.strictObject({ by: z.literal('signal'), signal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT']) }),
])
export type StopMethod = z.output<typeof StopMethod>

/** How a game is asked who plays: the protocols that this program speaks. `luanti` tells only that it answers. */
export const queryKinds = ['minecraft', 'minecraft-bedrock', 'source', 'quake3', 'teeworlds', 'luanti'] as const

/** Where and how the node asks the game who plays, on the machine itself. */
export const GameQuery = z.strictObject({
  kind: z.enum(queryKinds),
  /** One of the server's own ports: the primary one, or the one that a variable names. Another one is never asked. */
  port: z.union([z.literal('primary'), z.strictObject({ variable: VariableName })]).default('primary'),
})
export type GameQuery = z.output<typeof GameQuery>

/** By what a server that runs shows that it is alive, and how long that may stay away before it counts as hung. */
export const Watchdog = z.strictObject({
  sign: z
    .discriminatedUnion('by', [
      /** It answers the query. */
      z.strictObject({ by: z.literal('query') }),
      /** It answers a command in its console by a line that contains this text. */
      z.strictObject({
        by: z.literal('console'),
        command: z.string().min(1).max(200),
        answer: z.string().min(1).max(200),
      }),
    ])
    .prefault({ by: 'query' }),
  afterSeconds: z.int().min(30).max(3600).default(120),
})
export type Watchdog = z.output<typeof Watchdog>

/** A container image, as `docker pull` takes it. */
export const ImageName = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, 'must be the name of a container image')

/** Where a server's processes are: in the sandbox of its node, or in a container of the engine there. */
export const RuntimeKind = z.enum(['sandbox', 'docker'])
export type RuntimeKind = z.output<typeof RuntimeKind>

/** One thing to choose by name: the variable `DOCKER_IMAGE` or `STARTUP_COMMAND` holds the name, where there are several. */
const ChoiceName = displayName(200)

/** The variables that choose one of several images and start lines. */
export const choiceVariables = { image: 'DOCKER_IMAGE', line: 'STARTUP_COMMAND' } as const

/** A line of output that says that the server is up: one that contains a text, or matches a pattern. */
const ReadyMark = z.union([z.string().min(1).max(500), z.strictObject({ pattern: PatternText })])
export type ReadyMark = z.output<typeof ReadyMark>

const PatchValue = z.union([z.string().max(8192), z.number(), z.boolean(), z.null()])

/**
 * A configuration file of the game that some values are written into before each start; the rest of it stays as it is. What
 * `at` means depends on the format: docs/eggs.md.
 */
export const ConfigPatch = z.strictObject({
  path: z.string().min(1).max(500),
  format: z.enum(['properties', 'yaml', 'json', 'ini', 'xml', 'lines']),
  set: z
    .array(
      z.union([
        z.strictObject({ at: z.string().min(1).max(500), to: PatchValue }),
        z.strictObject({
          at: z.string().min(1).max(500),
          /** Only where the present value is one of these, tried in turn. */
          swap: z
            .array(
              z.union([
                z.strictObject({ from: z.string().max(500), to: z.string().max(8192) }),
                z.strictObject({ pattern: PatternText, to: z.string().max(8192) }),
              ]),
            )
            .min(1)
            .max(50),
        }),
      ]),
    )
    .max(500),
})
export type ConfigPatch = z.output<typeof ConfigPatch>

/** What an imported egg says beside the rest, kept so that it can be exported again. */
const EggFacts = z.strictObject({
  format: z.enum(['PTDL_v1', 'PTDL_v2', 'PLCN_v1', 'PLCN_v2', 'PLCN_v3']),
  author: z.string().max(320).nullable(),
  uuid: z.string().max(64).nullable(),
  updateUrl: z.string().max(2048).nullable(),
  exportedAt: z.string().max(64).nullable(),
  features: z.array(z.string().max(100)).max(50),
  tags: z.array(z.string().max(100)).max(50),
  /** Files that nobody reads or changes through Pharos: a pattern each, in the syntax of `.gitignore`. */
  fileDenylist: z.array(z.string().max(500)).max(200),
  /** JSON. */
  logs: z.string().max(4096).nullable(),
})

/** What people look for: something to play, or something to run. Games come first wherever kinds of server are listed. */
export const TemplateCategory = z.enum(['game', 'tool'])

export const Template = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
    name: displayName(80),
    summary: z.string().max(300).regex(noControls, 'must not contain control characters'),
    category: TemplateCategory.default('tool'),
    /** The transports on which players reach the primary port. */
    protocols: z
      .array(z.enum(['tcp', 'udp']))
      .min(1)
      .max(2),
    /** Players can also find it by host name, without a port of its own: their client names the host when it connects. */
    entrance: z.enum(['minecraft']).optional(),
    /** Through an edge, connections to the primary port begin with a header that tells who the player is. Only for games that expect it. */
    proxyProtocol: z.enum(['v1', 'v2']).optional(),
    resources: Resources,
    /** Container images that it runs in, where the node runs containers; the first unless `DOCKER_IMAGE` names another. */
    images: z
      .array(z.strictObject({ name: ChoiceName, image: ImageName }))
      .min(1)
      .max(50)
      .optional(),
    variables: z.array(TemplateVariable).max(200).default([]),
    install: z
      .strictObject({
        /**
         * npm packages, installed once per node and shared read-only by the servers that need the same ones. In a template's
         * folder these are the files of its folder `npm`; here they travel as text, so that a node needs no template folder.
         */
        npm: z
          .strictObject({
            packageJson: z.string().max(65_536),
            packageLock: z.string().max(4_194_304),
            /** More files to put beside them, such as a launcher. */
            files: z
              .array(
                z.strictObject({
                  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/),
                  content: z.string().max(1_048_576),
                }),
              )
              .max(50)
              .default([]),
          })
          .optional(),
        /** Debian packages that must be on the node; installed where the node runs as root. */
        debian: z
          .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/))
          .max(50)
          .default([]),
        /** A program run in the sandbox, in the server's folder, after the packages are there. */
        run: z.array(z.string().max(4096)).max(100).optional(),
        /**
         * A script for a container of its own that has the server's folder as `/mnt/server`, as eggs have it. Without
         * containers it runs in the sandbox where its entrypoint is a shell.
         */
        script: z
          .strictObject({ image: ImageName, entrypoint: z.string().min(1).max(200), text: z.string().max(524_288) })
          .optional(),
        timeoutSeconds: z.int().min(1).max(3600).default(600),
      })
      .prefault({}),
    /** Files written into the server's folder, variables filled in. `once`: only where the file does not exist yet. */
    files: z
      .array(
        z.strictObject({
          path: z.string().min(1).max(500),
          content: z.string().max(1_048_576),
          once: z.boolean().default(false),
        }),
      )
      .max(100)
      .default([]),
    /** Applied before each start, after `files`. */
    patches: z.array(ConfigPatch).max(50).optional(),
    start: z
      .strictObject({
        /** The program and its arguments, never a shell line; variables are filled in each argument by itself. */
        command: z.array(z.string().max(4096)).min(1).max(200).optional(),
        /**
         * In its place a line for the shell. `{{NAME}}` in it means `$` + `{NAME}`: a value is never read as a part of the line.
         * The first unless `STARTUP_COMMAND` names another.
         */
        lines: z
          .array(z.strictObject({ name: ChoiceName, line: z.string().min(1).max(16_384) }))
          .min(1)
          .max(20)
          .optional(),
        environment: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), z.string().max(4096)).default({}),
        /** The server counts as running once a line contains this text, or one of these; without it, once the process has started. */
        ready: z.union([z.string().min(1).max(500), z.array(ReadyMark).min(1).max(20)]).optional(),
        /** How long starting may take before it counts as failed. */
        timeoutSeconds: z.int().min(1).max(3600).default(120),
        /** With `running` it counts as running after that time instead, for what may never print such a line. */
        late: z.enum(['failed', 'running']).optional(),
      })
      .refine(({ command, lines }) => (command === undefined) !== (lines === undefined), {
        message: 'needs either command or lines',
      }),
    stop: StopMethod,
    /** How long an orderly stop may take before the process is killed. */
    stopTimeoutSeconds: z.int().min(1).max(600).default(30),
    egg: EggFacts.optional(),
    /** Which nodes take servers of this kind; any without it. */
    placement: Placement.optional(),
    query: GameQuery.optional(),
    watchdog: Watchdog.optional(),
  })
  .meta({ id: 'Template' })
export type Template = z.output<typeof Template>

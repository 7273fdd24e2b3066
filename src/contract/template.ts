import { z } from 'zod'
import { displayName } from './fields.ts'

/**
 * A template says how a kind of server is installed, started, recognised as ready and stopped. It is a data file
 * (`templates/<id>/template.yaml`, with the files it needs beside it); nothing in the code knows a game by name.
 */

/** Variables appear as `{{NAME}}`; these are always there and cannot be set. */
export const builtinVariables = [
  'SERVER_ID',
  'SERVER_NAME',
  'SERVER_PORT',
  'SERVER_MEMORY_MB',
  /** The folder of `install.npm`, as the server sees it. */
  'TEMPLATE_DIR',
] as const

const VariableName = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be upper-case letters, digits and underscores')

/** What a variable may hold. A value is text in the environment and in files, whatever its rule. */
export const VariableRule = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('text'),
      min: z.int().min(0).default(0),
      max: z.int().max(4096).default(200),
      pattern: z.string().max(200).optional(),
    }),
    z.strictObject({ type: z.literal('integer'), min: z.int(), max: z.int() }),
    z.strictObject({ type: z.literal('boolean') }),
    z.strictObject({ type: z.literal('choice'), of: z.array(z.string().max(200)).min(1).max(200) }),
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

/** What people look for: something to play, or something to run. Games come first wherever kinds of server are listed. */
export const TemplateCategory = z.enum(['game', 'tool'])

export const Template = z
  .strictObject({
    id: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
    name: displayName(80),
    summary: z.string().max(300),
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
    variables: z.array(TemplateVariable).max(100).default([]),
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
    start: z.strictObject({
      /** The program and its arguments, never a shell line; variables are filled in each argument by itself. */
      command: z.array(z.string().max(4096)).min(1).max(200),
      environment: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), z.string().max(4096)).default({}),
      /** The server counts as running once a line contains this text; without it, once the process has started. */
      ready: z.string().min(1).max(200).optional(),
      /** How long starting may take before it counts as failed. */
      timeoutSeconds: z.int().min(1).max(3600).default(120),
    }),
    stop: StopMethod,
    /** How long an orderly stop may take before the process is killed. */
    stopTimeoutSeconds: z.int().min(1).max(600).default(30),
  })
  .meta({ id: 'Template' })
export type Template = z.output<typeof Template>

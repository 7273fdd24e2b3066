import { z } from 'zod'
import { displayName, noControls, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { ImageName, Resources, TemplateCategory, TemplateVariable } from '../template.ts'

const Protocols = z
  .array(z.enum(['tcp', 'udp']))
  .min(1)
  .max(2)

export const TemplateSummary = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    summary: z.string(),
    category: TemplateCategory,
    protocols: z.array(z.enum(['tcp', 'udp'])),
    resources: Resources.meta({ description: 'What a new server gets unless it says otherwise' }),
    variables: z.array(TemplateVariable),
    images: z.array(z.strictObject({ name: z.string(), image: ImageName })).meta({
      description: 'Container images that it runs in, the usual one first; empty where it runs in the sandbox alone',
    }),
    origin: z.enum(['shipped', 'imported']).meta({ description: 'Only imported ones can be changed and deleted' }),
    changedAt: Time.nullable().meta({
      description: 'Since when it is as it is now; null for those that come with the program',
    }),
    source: z
      .string()
      .nullable()
      .meta({ description: 'Id of the source that keeps it up to date, for administrators' }),
    servers: z
      .int()
      .nullable()
      .meta({ description: 'Made from any version of it; null for whoever is no administrator' }),
  })
  .meta({ id: 'TemplateSummary' })

/** What became of one part of an egg. */
export const ImportNote = z
  .strictObject({
    kind: z.enum(['changed', 'kept', 'dropped']).meta({
      description:
        '`changed`: it means something close here. `kept`: nothing acts on it, and an export has it again. `dropped`: it has no effect.',
    }),
    where: z.string().meta({ example: 'variables.MOTD' }),
    message: z.string(),
  })
  .meta({ id: 'ImportNote' })

const Outcome = z.enum(['added', 'updated', 'same'])

const OfTemplate = z.object({ template: z.string().max(63) })
const TemplateId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens, beginning with a letter')

/** The largest request with an egg, in bytes: 2 MiB of text, of which JSON escapes a part. */
const eggBodyBytesMax = 4 * 1024 * 1024

const base = { family: 'panel', tag: 'Templates' } as const

export const templateOperations = {
  templates: operation({
    ...base,
    method: 'GET',
    path: '/templates',
    summary: 'The kinds of server that can be created, games first',
    mcp: { tool: 'list_templates' },
    access: 'account',
    reply: z.array(TemplateSummary),
    errors: [],
  }),
  template: operation({
    ...base,
    method: 'GET',
    path: '/templates/{template}',
    summary: 'One kind of server, with its variables and their rules',
    mcp: { tool: 'get_template' },
    access: 'account',
    params: z.object({ template: z.string() }),
    reply: TemplateSummary,
    errors: ['not_found'],
  }),
  importTemplate: operation({
    ...base,
    method: 'POST',
    path: '/templates/import',
    summary: 'Make a template of a Pterodactyl or Pelican egg, and say what became of each part of it',
    description:
      'Takes PTDL_v1, PTDL_v2 and PLCN_v1 to v3, as JSON or YAML. Servers that were made from an older version keep that one until they take the newer one.',
    access: 'instance',
    bodyBytesMax: eggBodyBytesMax,
    body: z.strictObject({
      egg: z
        .union([z.string().min(1), z.record(z.string(), z.unknown())])
        .meta({ description: 'The text of the egg, or the egg itself' }),
      id: TemplateId.optional().meta({ description: 'Its id here; without it one is made from its name' }),
      replace: z
        .boolean()
        .default(false)
        .meta({ description: 'Take it as a newer version of the template of that id' }),
      preview: z.boolean().default(false).meta({ description: 'Change nothing, only say what would be' }),
    }),
    reply: z.strictObject({ template: TemplateSummary, outcome: Outcome, notes: z.array(ImportNote) }),
    errors: ['conflict'],
  }),
  exportTemplate: operation({
    ...base,
    method: 'GET',
    path: '/templates/{template}/export',
    summary: 'The template as an egg (PTDL_v2)',
    access: 'instance',
    params: OfTemplate,
    reply: z.strictObject({ egg: z.record(z.string(), z.unknown()) }),
    errors: ['not_found', 'conflict'],
  }),
  updateTemplate: operation({
    ...base,
    method: 'PATCH',
    path: '/templates/{template}',
    summary: 'Say what an egg could not: its category, transports, what new servers get',
    description: 'Holds for servers that are made afterwards, and stays when the egg is imported again.',
    access: 'instance',
    params: OfTemplate,
    body: z.strictObject({
      name: displayName(80).optional(),
      summary: z.string().max(300).regex(noControls, 'must not contain control characters').optional(),
      category: TemplateCategory.optional(),
      protocols: Protocols.optional(),
      resources: Resources.partial().optional(),
    }),
    reply: TemplateSummary,
    errors: ['not_found', 'conflict'],
  }),
  deleteTemplate: operation({
    ...base,
    method: 'DELETE',
    path: '/templates/{template}',
    summary: 'Delete an imported template that no server is made from',
    access: 'instance',
    params: OfTemplate,
    reply: z.strictObject({ id: z.string() }),
    errors: ['not_found', 'conflict'],
  }),
}

/** What one file of a source has become. */
const SyncedFile = z.strictObject({
  path: z.string(),
  outcome: z.enum(['added', 'updated', 'same', 'gone', 'failed']),
  template: z.string().nullable().meta({ description: 'Its id' }),
  message: z.string().nullable().meta({ description: 'Why it failed, or how many parts of it have no effect here' }),
})

export const TemplateSource = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    url: z.string(),
    folder: z.string().meta({ description: 'Only eggs below this folder of the archive; empty for all' }),
    allowPrivate: z.boolean(),
    everyHours: z.int().nullable(),
    createdAt: Time,
    nextSyncAt: Time.nullable(),
    lastSync: z
      .strictObject({
        at: Time,
        error: z.string().nullable().meta({ description: 'Why nothing could be read; null when it could' }),
        files: z.array(SyncedFile),
      })
      .nullable(),
  })
  .meta({ id: 'TemplateSource' })

const SourceUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .meta({ description: 'An archive of eggs (.tar.gz, .tgz, .zip) or a single one' })
const Folder = z.string().max(500).regex(noControls, 'must not contain control characters')
const EveryHours = z
  .int()
  .min(1)
  .max(24 * 30)
  .nullable()

const OfSource = z.object({ source: z.string().max(64) })
const sourceBase = { family: 'panel', tag: 'Template sources', access: 'instance' } as const

export const templateSourceOperations = {
  templateSources: operation({
    ...sourceBase,
    method: 'GET',
    path: '/template-sources',
    summary: 'Where templates are synchronised from, and what the last time brought',
    reply: z.strictObject({ sources: z.array(TemplateSource) }),
    errors: [],
  }),
  createTemplateSource: operation({
    ...sourceBase,
    method: 'POST',
    path: '/template-sources',
    summary: 'Register an archive of eggs; nothing is fetched before it is synchronised',
    body: z.strictObject({
      name: displayName(80),
      url: SourceUrl,
      folder: Folder.default(''),
      allowPrivate: z
        .boolean()
        .default(false)
        .meta({ description: 'Also fetch from addresses that are not on the public internet' }),
      everyHours: EveryHours.default(null).meta({
        description: 'Synchronise by itself this often; null for by hand alone',
      }),
    }),
    reply: TemplateSource,
    errors: ['conflict'],
  }),
  updateTemplateSource: operation({
    ...sourceBase,
    method: 'PATCH',
    path: '/template-sources/{source}',
    summary: 'Change where or how often',
    params: OfSource,
    body: z.strictObject({
      name: displayName(80).optional(),
      url: SourceUrl.optional(),
      folder: Folder.optional(),
      allowPrivate: z.boolean().optional(),
      everyHours: EveryHours.optional(),
    }),
    reply: TemplateSource,
    errors: ['not_found', 'conflict'],
  }),
  syncTemplateSource: operation({
    ...sourceBase,
    method: 'POST',
    path: '/template-sources/{source}/sync',
    summary: 'Fetch it now, import what is new or changed, and say what changed',
    description: 'Servers keep the version they were made from. A template whose egg is gone from the archive stays.',
    params: OfSource,
    reply: TemplateSource,
    errors: ['not_found', 'conflict'],
  }),
  deleteTemplateSource: operation({
    ...sourceBase,
    method: 'DELETE',
    path: '/template-sources/{source}',
    summary: 'Forget the source; its templates stay',
    params: OfSource,
    reply: z.strictObject({ id: z.string() }),
    errors: ['not_found'],
  }),
}
